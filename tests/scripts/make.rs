//! The targets of the Makefile and the scripts that they call.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::machine::REPOSITORY;

#[test]
fn wrong_words_are_named_before_anything_is_built() {
    let nowhere = tempfile::tempdir().unwrap();
    let run = |script: &str, words: &[&str], variables: &[(&str, &str)]| {
        let output = Command::new(Path::new(REPOSITORY).join(script))
            .args(words)
            .envs(variables.iter().copied())
            .env("TMPDIR", nowhere.path())
            .env("BUILD", nowhere.path().join("build"))
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        )
    };
    for (script, words, variables, says) in [
        (
            "fuzz/run",
            &["nonsense"][..],
            &[][..],
            "there is no target nonsense; there are: certificates",
        ),
        (
            "fuzz/run",
            &["key_uri", "certificates"],
            &[("INPUT", "x")],
            "INPUT is for one target",
        ),
        ("packaging/build", &["sparc"], &[], "no such architecture: sparc"),
        (
            "demo/run",
            &[],
            &[("PROGRAMS", "/nonexistent")],
            "no gatepostd in /nonexistent",
        ),
        (
            "config/aws/fleet-ca",
            &[],
            &[("MODE", "NONE")],
            "it is DEFAULT or SNI_ONLY",
        ),
        (
            "config/aws/fleet-ca",
            &[],
            &[("KEY", "none")],
            "it is ec-p256 or rsa-2048",
        ),
    ] {
        let (success, said) = run(script, words, variables);
        assert!(
            !success && said.contains(says),
            "{script} {words:?} {variables:?}: {said}"
        );
    }
}

#[test]
fn make_alone_lists_the_targets_in_two_columns() {
    // `make test` runs this with a make of its own, which would also print its folder.
    let output = Command::new("make")
        .arg("--no-print-directory")
        .current_dir(REPOSITORY)
        .env_remove("MAKEFLAGS")
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines.len() > 10 && lines[0].starts_with("  make help "), "{listed}");
    for line in &lines {
        let (target, text) = line.split_at(25);
        assert!(
            target.starts_with("  make ") && target.ends_with(' ') && !text.starts_with(' '),
            "{line:?}"
        );
        assert!(line.chars().count() <= 140, "{line:?}");
    }
    assert!(
        lines.iter().position(|line| line.contains("make setup-")) == Some(lines.len() - 1),
        "{listed}"
    );
}

/// A user without permissions: the script ends before it examines the machine.
const NOBODY: u32 = 65_534;

#[test]
fn seconds_to_wait_may_begin_with_a_zero() {
    use std::os::unix::process::CommandExt as _;
    for (seconds, code) in [
        ("0", 77),
        ("8", 77),
        ("08", 77),
        ("000", 77),
        ("0099", 77),
        ("999999", 77),
        ("1000000", 64),
        ("", 64),
        ("1s", 64),
        ("-1", 64),
        ("0x10", 64),
        ("1.5", 64),
    ] {
        let mut setup = Command::new("sh");
        setup.arg("-s").arg("--").args(["--wait", seconds]);
        setup.stdin(fs::File::open(Path::new(REPOSITORY).join("packaging/gatepost-tpm-setup")).unwrap());
        if rustix::process::geteuid().is_root() {
            setup.uid(NOBODY).gid(NOBODY);
        }
        let ran = setup.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(code), "{seconds:?}: {said}");
        assert!(said.starts_with("gatepost-tpm-setup: "), "{seconds:?}: {said}");
    }
}
