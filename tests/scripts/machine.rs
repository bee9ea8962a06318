//! A machine that contains only a copy of the scripts, and programs that a test provides.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rig::executable;
use tempfile::TempDir;

pub const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
/// The standard programs that the scripts use.
const ORDINARY: &[&str] = &[
    "bash", "cat", "chmod", "cmp", "cp", "cut", "date", "dirname", "env", "grep", "head", "jq", "mkdir", "mktemp",
    "mv", "nice", "readlink", "realpath", "rm", "sed", "sh", "sort", "tee", "tr",
];

/// A copy of the scripts, and the only programs that they can find.
pub struct Machine {
    pub folder: TempDir,
}

/// The result of a script: whether it succeeded, its output, and the programs that it called with their arguments.
pub struct Ran {
    pub success: bool,
    pub said: String,
    pub calls: String,
}

impl Machine {
    /// Creates a machine with these programs, each a name and a line of shell. Every call is logged.
    pub fn new(programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", ".ci", "target/awscli/bin", "tests", "config/aws"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let for_the_fleet = [
            "policy",
            "provisioning-template",
            "provisioning-trust",
            "role-alias-trust",
        ];
        let for_the_fleet = for_the_fleet.map(|name| format!("config/aws/{name}.json"));
        let scripts = [".ci/run", ".ci/setup", "Cargo.toml", "config/aws/fleet-ca", "tests/run"];
        for name in scripts.into_iter().chain(for_the_fleet.iter().map(String::as_str)) {
            fs::copy(Path::new(REPOSITORY).join(name), folder.path().join(name)).unwrap();
        }
        let machine = Self { folder };
        for name in ORDINARY {
            let found = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
            let found = found
                .iter()
                .find(|path| path.exists())
                .unwrap_or_else(|| panic!("no {name}"));
            symlink(found, machine.folder.path().join("bin").join(name)).unwrap();
        }
        for (name, line) in programs {
            machine.add(name, line);
        }
        machine
    }

    pub fn add(&self, name: &str, line: &str) {
        let calls = self.folder.path().join("calls");
        let text = format!("#!/bin/bash\necho \"{name} $*\" >>'{}'\n{line}\n", calls.display());
        let path = self.folder.path().join("bin").join(name);
        executable::write(&path, &text).unwrap();
    }

    /// Runs a script as an ordinary user.
    pub fn run(&self, words: &[&str]) -> Ran {
        // That user cannot enter another user's folder, so this one is opened to all.
        for name in ["", "target", "target/awscli", "target/awscli/bin"] {
            fs::set_permissions(self.folder.path().join(name), fs::Permissions::from_mode(0o777)).unwrap();
        }
        let mut command = match rig::user::is_root() {
            true => {
                let mut command = Command::new("/usr/bin/setpriv");
                command
                    .args(["--reuid", "61011", "--regid", "61011", "--clear-groups"])
                    .arg("/bin/bash");
                command
            }
            false => Command::new("/bin/bash"),
        };
        let output = command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", self.folder.path().join("bin"))
            .env("HOME", self.folder.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        Ran {
            success: output.status.success(),
            said: String::from_utf8(said).unwrap(),
            calls: fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default(),
        }
    }
}

pub const RUST: [(&str, &str); 2] = [("cargo", ""), ("rustc", "echo 'rustc 1.95.0 (5980761 2026-04-14)'")];
pub const APT: (&str, &str) = ("apt-get", "");

/// The script, the programs of the machine, whether it succeeds, its output, and the programs that it runs.
pub struct Case<'a> {
    pub words: &'a [&'a str],
    pub programs: Vec<(&'a str, &'a str)>,
    pub succeeds: bool,
    pub says: &'a [&'a str],
    pub runs: &'a [&'a str],
}

pub fn check_case(case: &Case) {
    let ran = Machine::new(&case.programs).run(case.words);
    let shown = format!("{:?} with {:?}\n{}\n{}", case.words, case.programs, ran.said, ran.calls);
    assert_eq!(ran.success, case.succeeds, "{shown}");
    for words in case.says {
        assert!(ran.said.contains(words), "{words:?} was not said: {shown}");
    }
    for call in case.runs {
        assert!(ran.calls.contains(call), "{call:?} was not run: {shown}");
    }
    if !case.succeeds {
        assert!(
            !ran.calls.contains("apt-get"),
            "something was installed before: {shown}"
        );
        assert!(ran.said.lines().count() <= 1, "more than a line: {shown}");
    }
    for line in ran.said.lines().filter(|line| line.contains("install")) {
        let mut names: Vec<&str> = line
            .split_whitespace()
            .filter(|word| word.starts_with("python3") || *word == "openssl")
            .collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "a name twice: {shown}");
    }
}
