//! The programs of the table in docs/programs.md that have no SDK of their own test: each with a script, by every way that it knows,
//! while its credentials are replaced three times. Scripts whose program is not there are not run.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use cloudlet::Event;
use rig::command;
use rig::process::Process;

use super::{Machine, PATIENCE, REPOSITORY, WAYS};

/// As in the other tests of rotations: a set is handed out for 20 s, and replaced before.
const LIFETIME: i64 = 80;
const SETS: usize = 4;

/// The ways that only these programs need, as lines before the program.
const OTHER_WAYS: [(&str, &str); 2] = [
    (
        "token",
        "eval \"$(gatepost env telemetry --token)\"; export AWS_REGION=us-east-2",
    ),
    ("credentials", "export AWS_PROFILE=in-credentials"),
];

/// A script, with what its first lines say.
struct Script {
    name: String,
    path: PathBuf,
    /// A command that tells whether the program is there.
    needs: String,
    ways: Vec<String>,
}

impl Script {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let header = |name: &str| {
            let prefix = format!("# {name}: ");
            let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
            line.unwrap_or_else(|| panic!("{} lacks {prefix}", path.display()))
                .to_owned()
        };
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            needs: header("needs"),
            ways: header("ways").split_whitespace().map(str::to_owned).collect(),
            path: path.to_owned(),
        }
    }

    fn is_there(&self) -> bool {
        let mut bash = command::command("bash");
        bash.args(["-c", &self.needs])
            .env("REPOSITORY", REPOSITORY)
            .env("TRIED", tried());
        bash.output().is_ok_and(|output| output.status.success())
    }
}

/// Returns the folder of the programs that are too large to be installed for the tests. Whoever has them names it by this variable.
fn tried() -> OsString {
    std::env::var_os("TRIED").unwrap_or_else(|| "/nonexistent".into())
}

fn scripts() -> Vec<Script> {
    let folder = Path::new(REPOSITORY).join("tests/sdks/programs");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let scripts = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"));
    scripts.map(|path| Script::read(path)).collect()
}

#[test]
fn programs_of_the_table_cross_three_rotations() {
    let machine = Machine::new(LIFETIME);
    machine.set_up_profile();
    machine.step("gatepost setup-profile telemetry --profile in-credentials --credentials-file");
    fs::write(machine.file("reading.json"), "{\"temperature\": 21.5}\n").unwrap();
    let mut running: Vec<(String, Process)> = Vec::new();
    for script in scripts() {
        if !script.is_there() {
            eprintln!("NOT TESTED: {}, which is not there", script.name);
            continue;
        }
        for way in &script.ways {
            let setting = WAYS.iter().chain(&OTHER_WAYS).find(|(name, _)| name == way);
            let (_, setting) = setting.unwrap_or_else(|| panic!("{way} is no way"));
            let bucket = format!("{}-{way}", script.name);
            let text = format!("{setting}; BUCKET={bucket}; source {}", script.path.display());
            let mut bash = machine.bash(&text);
            bash.env("REPOSITORY", REPOSITORY);
            bash.env("TRIED", tried());
            running.push((bucket, Process::spawn(&mut bash, "util-linux").unwrap()));
        }
    }
    machine.run_until(SETS, PATIENCE, &mut running);
    let mut faults = Vec::new();
    for (bucket, mut program) in running {
        let status = program.wait(PATIENCE).unwrap();
        let sets = machine.access_keys(&bucket).len();
        if !status.success() || sets < SETS {
            faults.push(format!(
                "{bucket}: {status}, {sets} sets of credentials\n{}",
                program.log()
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // restic looks for files that are not there yet.
    let mut refusals = machine.refusals();
    refusals.retain(|refusal| !matches!(refusal, Event::CallerRefused { code, .. } if code == "NoSuchKey"));
    assert_eq!(refusals, [], "a call was signed with what was no good");
}
