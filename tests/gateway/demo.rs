//! `make demo`, run to its end: what a stranger sees first must be true.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use rig::process::{Process, Signal};
use tempfile::TempDir;

use crate::world::SOON;

/// Runs the demo with the programs of this build, in a folder of its own; `path` is looked through before PATH.
fn run_demo(folder: &TempDir, path: &Path) -> (ExitStatus, String) {
    let programs = Path::new(env!("CARGO_BIN_EXE_gatepostd")).parent().unwrap();
    for program in ["gatepost", "cloudlet"] {
        assert!(
            programs.join(program).exists(),
            "{program} is missing: `make test` builds it first"
        );
    }
    let search = format!("{}:{}", path.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/run"));
    command
        .env_remove("KEEP")
        .env("PROGRAMS", programs)
        .env("TMPDIR", folder.path())
        .env("PATH", search);
    let mut demo = Process::spawn(&mut command, "bash").unwrap();
    let status = demo.wait(2 * SOON).unwrap_or_else(|error| {
        // It ends what it has started, which nobody else could.
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
        "neither PIN nor secret",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_demo_fails_where_a_step_is_not_true() {
    let folder = tempfile::tempdir().unwrap();
    let broken = tempfile::tempdir().unwrap();
    let openssl = broken.path().join("openssl");
    fs::write(&openssl, "#!/bin/sh\necho broken on purpose >&2\nexit 3\n").unwrap();
    fs::set_permissions(&openssl, fs::Permissions::from_mode(0o755)).unwrap();
    let (status, said) = run_demo(&folder, broken.path());
    assert!(!status.success(), "{said}");
    assert!(
        said.contains("NOT TRUE: The fleet has a CA") && said.contains("broken on purpose"),
        "{said}"
    );
}
