//! `make demo`, run to its end: the output that the README shows must be true.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::thread;

use rig::executable;
use rig::process::{Process, Signal};
use rustix::process::{Pid, kill_process_group};
use tempfile::TempDir;

use crate::support::SOON;

/// Starts the demo with the programs of this build, in its own process group, as a terminal does. Its files are below `folder`, in a folder
/// with a space in its name; `path` is searched before PATH.
fn start_demo(folder: &TempDir, path: &Path) -> Process {
    let programs = Path::new(env!("CARGO_BIN_EXE_gatepostd")).parent().unwrap();
    for program in ["gatepost", "cloudlet", "est-server"] {
        assert!(
            programs.join(program).exists(),
            "{program} is missing: `make test` builds it first"
        );
    }
    let search = format!("{}:{}", path.display(), std::env::var("PATH").unwrap_or_default());
    let files = folder.path().join("a b");
    fs::create_dir(&files).unwrap();
    // A test run in the background ignores the signals of a terminal, and programs that it starts cannot change that.
    let mut command = Command::new("env");
    command
        .arg("--default-signal=INT,HUP,TERM")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/run"))
        .env_remove("KEEP")
        .env("PROGRAMS", programs)
        .env("TMPDIR", files)
        .env("PATH", search)
        .process_group(0);
    Process::spawn(&mut command, "bash").unwrap()
}

fn run_demo(folder: &TempDir, path: &Path) -> (ExitStatus, String) {
    let mut demo = start_demo(folder, path);
    let status = demo.wait(2 * SOON).unwrap_or_else(|error| {
        // It must end the programs that it has started, which nobody else could.
        demo.signal(Signal::TERM).unwrap();
        let _ = demo.wait(SOON);
        panic!("{error:#}")
    });
    (status, demo.log())
}

#[test]
fn promise_2_the_demo_leads_from_an_empty_token_to_a_signed_call() {
    let folder = tempfile::tempdir().unwrap();
    let (status, said) = run_demo(&folder, Path::new("/nonexistent"));
    assert!(status.success(), "{status}\n{said}");
    for line in [
        "0 objects in it",
        "sensitive, always sensitive, never extractable, local",
        "AWS has dropped the first connection",
        "phase is now: provisioned",
        "AWS knows it as arn:aws:sts::123456789012:assumed-role/telemetry/",
        "The EST server renews it",
        "the session moves to it",
        "The secret was used once: 1 request",
        "neither PIN nor secret",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
    assert_shows_what_readme_says(&said);
    assert_nothing_is_left(&folder, &said);
}

/// Asserts that the README shows the lines of a run, without times and with some left out. Details that differ between runs are not
/// compared.
fn assert_shows_what_readme_says(said: &str) {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, transcript) = readme.split_once("```text\n").unwrap();
    let transcript = transcript.split("```").next().unwrap();
    let (mut rest, mut compared) = (said, 0);
    for line in transcript.lines().filter(|line| !line.is_empty()) {
        let fixed = line.split(": ").next().unwrap().split("arn:").next().unwrap();
        let Some((_, after)) = rest.split_once(fixed) else {
            panic!("README has {line:?}, and the demo does not show it there:\n{rest}");
        };
        (rest, compared) = (after, compared + 1);
    }
    assert!(compared > 12, "{compared}");
}

fn assert_nothing_is_left(folder: &TempDir, said: &str) {
    let left: Vec<_> = fs::read_dir(folder.path().join("a b")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}\n{said}");
    let folder = folder.path().as_os_str().as_encoded_bytes();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let commands = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    for command in commands {
        let is_ours = command.windows(folder.len()).any(|words| words == folder);
        assert!(!is_ours, "{:?} still runs\n{said}", String::from_utf8_lossy(&command));
    }
}

/// After Ctrl-C, a closed terminal, or `kill`, no program continues, no folder with keys is left, and no log is printed.
#[test]
fn the_demo_leaves_nothing_behind_when_it_is_interrupted() {
    let moments = [
        ("gatepost: a gateway gets its identity", Signal::INT, 130),
        ("It has an empty token", Signal::HUP, 129),
        ("The local AWS knows that CA", Signal::TERM, 143),
        ("The EST server has issued the certificate", Signal::HUP, 129),
        ("It asks over the Unix socket", Signal::INT, 130),
        ("AWS knows it as", Signal::INT, 130),
    ];
    thread::scope(|scope| {
        for (line, signal, code) in moments {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let mut demo = start_demo(&folder, Path::new("/nonexistent"));
                demo.wait_for_line(2 * SOON, |said| said.contains(line)).unwrap();
                let group = Pid::from_raw(i32::try_from(demo.pid()).unwrap()).unwrap();
                kill_process_group(group, signal).unwrap();
                let status = demo.wait(SOON).unwrap();
                let said = demo.log();
                assert_eq!(status.code(), Some(code), "{line}\n{said}");
                assert!(!said.contains("NOT TRUE"), "{line}\n{said}");
                assert_nothing_is_left(&folder, &said);
            });
        }
    });
}

#[test]
fn the_demo_fails_at_a_step_that_does_not_hold() {
    let folder = tempfile::tempdir().unwrap();
    let broken = tempfile::tempdir().unwrap();
    let openssl = broken.path().join("openssl");
    executable::write(&openssl, "#!/bin/sh\necho broken on purpose >&2\nexit 3\n").unwrap();
    let (status, said) = run_demo(&folder, broken.path());
    assert!(!status.success(), "{said}");
    assert!(
        said.contains("NOT TRUE: The fleet has a CA") && said.contains("broken on purpose"),
        "{said}"
    );
}
