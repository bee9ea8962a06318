//! .ci/run: the checks that must pass before a change is merged.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::machine::{Machine, REPOSITORY, RUST};

#[test]
fn the_merge_check_continues_without_the_advisories_and_stops_at_any_fault() {
    let programs = |cargo: &'static str| {
        let mut programs = RUST.to_vec();
        programs[0].1 = cargo;
        programs.extend([
            ("make", ""),
            ("cc", ""),
            ("g++", ""),
            ("cfn-lint", ""),
            ("cargo-deny", ""),
            ("cargo-clippy", ""),
            ("cargo-fmt", ""),
        ]);
        programs
    };
    let run: &[&str] = &[".ci/run"];
    let advisories = "cargo deny --offline --workspace check advisories";
    let ran = Machine::new(&programs("")).run(run);
    assert!(
        ran.success && ran.calls.contains(advisories),
        "{}\n{}",
        ran.said,
        ran.calls
    );
    assert!(
        ["test", "deb ARCH=amd64 arm64", "newcomer", "system-test", "fuzz"]
            .iter()
            .all(|target| ran.calls.contains(&format!("make {target}"))),
        "{}",
        ran.calls
    );

    let ran = Machine::new(&programs("[[ $* != 'deny fetch db' ]]")).run(run);
    assert!(
        ran.success && !ran.calls.contains(advisories) && ran.calls.contains("make test"),
        "{}\n{}",
        ran.said,
        ran.calls
    );
    assert!(ran.said.contains("advisories were NOT checked"), "{}", ran.said);

    for fault in [
        "[[ $* != 'fmt --all --check' ]]",
        "[[ $1 != clippy ]]",
        "[[ $* != 'clippy --manifest-path fuzz/Cargo.toml '* ]]",
        "[[ $1 != doc ]]",
        "[[ $* != *'check bans'* ]]",
        "[[ $* != *'check advisories'* ]]",
    ] {
        let ran = Machine::new(&programs(fault)).run(run);
        assert!(!ran.success && !ran.calls.contains("make"), "{fault}: {}", ran.calls);
    }
    for (fault, says) in [
        ("[[ $1 != setup-test ]]", ""),
        ("[[ $1 != test ]]", ""),
        ("[[ $1 != deb ]] || { echo no compiler; exit 1; }", "no compiler"),
        (
            "[[ $1$BUILD_ONLY != fuzz1 ]] || { echo no instrumentation; exit 1; }",
            "no instrumentation",
        ),
    ] {
        let mut programs = programs("");
        programs.retain(|(name, _)| *name != "make");
        programs.push(("make", fault));
        let ran = Machine::new(&programs).run(run);
        assert!(
            !ran.success && ran.said.contains(says) && !ran.calls.contains("make system-test"),
            "{fault}: {}\n{}",
            ran.said,
            ran.calls
        );
    }
}

/// The installed `cargo deny` understands the options that .ci/run passes.
#[test]
fn cargo_deny_knows_the_options_it_is_given() {
    if !Command::new("cargo-deny")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("NOT TESTED: the options of cargo-deny, because it is not installed");
        return;
    }
    let script = fs::read_to_string(Path::new(REPOSITORY).join(".ci/run")).unwrap();
    let calls = script
        .lines()
        .filter_map(|line| line.split_once("cargo deny ").map(|(_, words)| words));
    let calls: Vec<&str> = calls.map(|words| words.trim_end_matches("; then")).collect();
    assert_eq!(calls.len(), 3, "{calls:?}");
    for words in calls {
        let output = Command::new("cargo-deny")
            .args(words.split_whitespace())
            .arg("--help")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{words}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
