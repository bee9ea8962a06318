//! .ci/setup: missing programs are installed, or named.

use crate::machine::{APT, Case, Machine, RUST, check_case};

#[test]
fn missing_tools_are_reported_or_installed() {
    let with = |more: &[(&'static str, &'static str)]| [&RUST[..], more].concat();
    let linters = [("cargo-clippy", ""), ("cargo-fmt", "")];
    let compiler = [("make", ""), ("cc", "")];
    let old = |version: &'static str| vec![("cargo", ""), ("rustc", version), APT, ("sudo", "")];
    let bare = |more: &[(&'static str, &'static str)]| [&RUST[..], &compiler, more].concat();
    let ready = |more: &[(&'static str, &'static str)]| bare(&[&[("g++", "")], more].concat());
    let by_hand = "as root: apt-get update && apt-get install --no-install-recommends";
    let check: &[&str] = &[".ci/setup", "check"];
    let cases = [
        (
            check,
            vec![APT],
            false,
            vec!["Rust is missing: install version 1.94.1", "https://rustup.rs"],
            vec![],
        ),
        (check, vec![("cargo", ""), APT], false, vec!["Rust is missing"], vec![]),
        (
            check,
            old("echo 'rustc 1.85.0 (x)'"),
            false,
            vec!["this is Rust 1.85.0, and 1.94.1 or newer", "rustup update"],
            vec!["rustc --version"],
        ),
        (
            check,
            old("echo 'rustc 1.94.0'"),
            false,
            vec!["this is Rust 1.94.0"],
            vec!["rustc --version"],
        ),
        (
            &[".ci/setup", "test"],
            old("echo 'rustc 1.9.0 (x)'"),
            false,
            vec!["this is Rust 1.9.0"],
            vec!["rustc --version"],
        ),
        (
            &[".ci/setup", "demo"],
            old("echo 'rustc 1.63.0 (x)'"),
            false,
            vec!["this is Rust 1.63.0"],
            vec!["rustc --version"],
        ),
        (
            check,
            with(&[APT]),
            false,
            vec!["packages are missing", by_hand],
            vec![],
        ),
        (
            check,
            with(&[APT, ("sudo", "exit 1")]),
            false,
            vec!["sudo is not for you", by_hand],
            vec!["sudo -v"],
        ),
        (
            check,
            with(&[]),
            false,
            vec!["please install the equivalents of:"],
            vec![],
        ),
        (
            check,
            [with(&[APT, ("sudo", "[[ $1 == -v ]] || \"$@\"")]), linters.to_vec()].concat(),
            true,
            vec!["installing "],
            vec!["apt-get update -q", "apt-get install -q -y --no-install-recommends "],
        ),
        (
            check,
            ready(&[("rustup", "")]),
            true,
            vec!["installing clippy rustfmt"],
            vec!["rustup component add clippy rustfmt"],
        ),
        (
            check,
            ready(&[]),
            false,
            vec!["please install the Rust tools clippy rustfmt"],
            vec![],
        ),
        (
            check,
            ready(&[linters[0], ("rustup", "")]),
            true,
            vec!["installing rustfmt"],
            vec!["rustup component add rustfmt"],
        ),
        (check, ready(&linters), true, vec![], vec![]),
        (check, bare(&linters), false, vec!["equivalents of: g++"], vec![]),
        (&[".ci/setup", "fuzz"], bare(&[APT]), false, vec!["g++"], vec![]),
        (
            &[".ci/setup", "demo"],
            ready(&[APT]),
            false,
            vec![by_hand, "opensc", "python3-venv"],
            vec![],
        ),
        (
            &[".ci/setup", "test"],
            ready(&[APT]),
            false,
            vec![by_hand, "podman", "swtpm"],
            vec![],
        ),
        (
            &[".ci/setup", "deb"],
            ready(&[APT]),
            false,
            vec![by_hand, "lintian"],
            vec![],
        ),
        (
            &[".ci/setup", "system-test"],
            ready(&[APT]),
            false,
            vec![by_hand, "mmdebstrap"],
            vec![],
        ),
        (
            &[".ci/setup", "lint"],
            ready(&[APT]),
            false,
            vec![by_hand, "python3-venv"],
            vec![],
        ),
        (
            &[".ci/setup", "nonsense"],
            ready(&[]),
            false,
            vec!["usage: .ci/setup check|test|fuzz"],
            vec![],
        ),
        (&[".ci/setup"], ready(&[]), false, vec!["usage:"], vec![]),
        (
            &[".ci/setup", "newcomer"],
            with(&[APT]),
            false,
            vec![by_hand, "mmdebstrap"],
            vec![],
        ),
    ];
    for (words, programs, succeeds, says, runs) in cases {
        let case = Case {
            words,
            programs,
            succeeds,
            says: &says,
            runs: &runs,
        };
        check_case(&case);
    }
}

/// If the network or a server is unavailable, the last line says so, and nothing is left incomplete silently.
#[test]
fn tools_that_cannot_be_fetched_are_listed_at_the_end() {
    let as_root = ("sudo", "[[ $1 == -v ]] || \"$@\"");
    let compiler = [("make", ""), ("cc", ""), ("g++", "")];
    let linters = [("cargo-clippy", ""), ("cargo-fmt", "")];
    let fails = |name: &'static str, words: &'static str| (name, words);
    let with = |more: &[(&'static str, &'static str)]| [&RUST[..], &compiler, more].concat();
    let python = "[[ $* != *'-m venv'* ]] || { mkdir -p target/cfn-lint/bin; \
                  printf '#!/bin/sh\n[ \"$1\" = -c ] || exit 1\n' >target/cfn-lint/bin/python3; chmod +x target/cfn-lint/bin/python3; }";
    let cargo_fails = [
        ("cargo", "[[ $1 != install ]]"),
        RUST[1],
        compiler[0],
        compiler[1],
        compiler[2],
        ("cfn-lint", ""),
    ];
    for (words, programs, says) in [
        (
            "check",
            [&RUST[..], &[as_root, fails("apt-get", "[[ $1 != update ]]")]].concat(),
            "these packages could not be installed: g++ gcc",
        ),
        (
            "check",
            [&RUST[..], &[as_root, fails("apt-get", "[[ $1 != install ]]")]].concat(),
            "these packages could not be installed: g++ gcc",
        ),
        (
            "check",
            with(&[fails("rustup", "exit 1")]),
            "rustup could not install clippy rustfmt",
        ),
        (
            "lint",
            [&cargo_fails[..], &linters].concat(),
            "cargo-deny could not be installed",
        ),
        (
            "lint",
            with(&[linters[0], linters[1], ("python3", python), as_root, APT]),
            "pip could not install into target/cfn-lint: cfn-lint",
        ),
    ] {
        let ran = Machine::new(&programs).run(&[".ci/setup", words]);
        let last = ran.said.lines().last().unwrap_or_default();
        assert!(!ran.success, "{words}: {}", ran.said);
        assert!(
            last.contains(says) && last.ends_with("; is the network there?"),
            "{words}: {}\n{}",
            ran.said,
            ran.calls
        );
    }
}

#[test]
fn the_lists_of_packages_are_refreshed_once_for_all_targets() {
    let sudo = ("sudo", "[[ $1 == -v ]] || \"$@\"");
    let machine = Machine::new(&[&RUST[..], &[APT, sudo]].concat());
    for target in ["check", "fuzz", "deb"] {
        machine.run(&[".ci/setup", target]);
    }
    let calls = machine.run(&[".ci/setup", "check"]).calls;
    let count = |call: &str| calls.lines().filter(|line| line.starts_with(call)).count();
    assert_eq!((count("apt-get update"), count("apt-get install")), (1, 4), "{calls}");
}
