//! tests/run: all tests of the workspace.

use std::path::Path;

use crate::machine::{Machine, REPOSITORY};

const METADATA: &str = r#"{"packages": [
    {"targets": [{"kind": ["lib"], "name": "gatepost"}, {"kind": ["test"], "name": "e2e"}, {"kind": ["test"], "name": "links"}]},
    {"targets": [{"kind": ["test"], "name": "token"}, {"kind": ["bin"], "name": "cloudlet"}]}]}"#;

#[test]
fn all_tests_run_once_and_a_failure_of_any_is_the_result() {
    let metadata = METADATA.replace('\n', "");
    let cargo =
        |fault: &str| format!("[[ $1 != metadata ]] || {{ echo '{metadata}'; exit; }}; echo \"ran $*\"; {fault}");
    let run = |fault: &str| Machine::new(&[("cargo", &cargo(fault))]).run(&["tests/run"]);

    let ran = run("");
    assert!(ran.success, "{}", ran.said);
    // The end-to-end tests that take long begin apart from the others, by the same names.
    let long = part_of(&ran.calls, "--test-threads=12 ", " --skip sdks::");
    let skipped: String = long.split(' ').map(|name| format!("--skip {name} ")).collect();
    for tests in [
        format!("cargo test --workspace --locked --test e2e -- {skipped}--skip sdks::\n"),
        format!("cargo test --workspace --locked --test e2e -- --test-threads=12 {long} --skip sdks::\n"),
        "cargo test --workspace --locked --test e2e -- --test-threads=4 sdks::\n".to_owned(),
        "cargo test --workspace --locked --no-fail-fast --lib --bins --test=links --test=token\n".to_owned(),
        "cargo test --workspace --locked --doc\n".to_owned(),
    ] {
        assert_eq!(ran.calls.matches(&tests).count(), 1, "{tests}: {}", ran.calls);
        let output = tests.replacen("cargo", "ran", 1);
        assert_eq!(ran.said.matches(&output).count(), 1, "{tests}: {}", ran.said);
    }
    // A name that no test has would hide that its tests are not begun early any more.
    for name in long.split(' ') {
        let path = name.trim_end_matches("::").replace("::", "/");
        let folder = format!("{REPOSITORY}/tests/e2e/{path}");
        let is_there = [folder.clone(), format!("{folder}.rs")]
            .iter()
            .any(|path| Path::new(path).exists());
        assert!(is_there, "{name}");
    }

    for fault in [
        "[[ $* != *'-- --skip'* ]]",
        "[[ $* != *--test-threads=4* ]]",
        "[[ $* != *--test-threads=12* ]]",
        "[[ $* != *--lib* ]]",
        "[[ $* != *--doc ]]",
    ] {
        let ran = run(fault);
        assert!(!ran.success, "{fault}: {}", ran.said);
        // The others run all the same, and their output is shown.
        assert_eq!(ran.said.matches("ran test").count(), 5, "{fault}: {}", ran.said);
        assert!(ran.said.ends_with("some tests have failed\n"), "{fault}: {}", ran.said);
    }

    let ran = Machine::new(&[("cargo", "echo '{\"packages\": []}'")]).run(&["tests/run"]);
    assert!(!ran.success && ran.said.contains("lists no tests"), "{}", ran.said);
    let ran = Machine::new(&[("cargo", "echo broken; exit 101")]).run(&["tests/run"]);
    assert!(!ran.success && !ran.calls.contains("cargo test"), "{}", ran.said);
}

/// Returns what stands between these words.
fn part_of<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}: {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after}: {text}")).0
}
