//! tests/run: all tests of the workspace.

use crate::machine::Machine;

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
    for tests in [
        "cargo test --workspace --locked --test e2e -- --skip sdks::\n",
        "cargo test --workspace --locked --test e2e -- --test-threads=4 sdks::\n",
        "cargo test --workspace --locked --no-fail-fast --lib --bins --test=links --test=token\n",
        "cargo test --workspace --locked --doc\n",
    ] {
        assert_eq!(ran.calls.matches(tests).count(), 1, "{tests}: {}", ran.calls);
        let output = tests.replacen("cargo", "ran", 1);
        assert_eq!(ran.said.matches(&output).count(), 1, "{tests}: {}", ran.said);
    }

    for fault in [
        "[[ $* != *--skip* ]]",
        "[[ $* != *--test-threads* ]]",
        "[[ $* != *--lib* ]]",
        "[[ $* != *--doc ]]",
    ] {
        let ran = run(fault);
        assert!(!ran.success, "{fault}: {}", ran.said);
        // The others run all the same, and their output is shown.
        assert_eq!(ran.said.matches("ran test").count(), 4, "{fault}: {}", ran.said);
        assert!(ran.said.ends_with("some tests have failed\n"), "{fault}: {}", ran.said);
    }

    let ran = Machine::new(&[("cargo", "echo '{\"packages\": []}'")]).run(&["tests/run"]);
    assert!(!ran.success && ran.said.contains("lists no tests"), "{}", ran.said);
    let ran = Machine::new(&[("cargo", "echo broken; exit 101")]).run(&["tests/run"]);
    assert!(!ran.success && !ran.calls.contains("cargo test"), "{}", ran.said);
}
