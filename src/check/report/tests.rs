use super::*;
use crate::check::lines::{AWS_CALL, CERTIFICATE, CLOCK, KEY, MQTT_DNS, PIN};

#[test]
fn the_exit_code_is_that_of_the_worst_failure() {
    let mut report = Report::default();
    report.ok(CLOCK, "right");
    report.skip(KEY, "no token");
    assert!(report.verdict().is_ok());
    report.warn(CERTIFICATE, &Problem::wait("ends soon"));
    assert!(report.verdict().is_ok());
    assert!(report.json().contains("\"state\": \"warn\""));
    report.failed(MQTT_DNS, &Problem::wait("no answer").next("wait"));
    assert_eq!(report.verdict().unwrap_err().exit, Exit::Unavailable);
    report.failed(AWS_CALL, &Problem::configuration("says no"));
    assert_eq!(report.verdict().unwrap_err().exit, Exit::Configuration);
    report.fail(PIN, Exit::Pin, &Problem::factory("wrong"));
    let verdict = report.verdict().unwrap_err();
    assert_eq!(
        (verdict.exit, verdict.to_string().as_str()),
        (Exit::Pin, "3 of 6 checks failed")
    );
    assert!(
        report
            .text()
            .contains("FAIL  MQTT endpoint: DNS  no answer\n                          next: wait\n"),
        "{}",
        report.text()
    );
}

#[test]
fn a_next_step_keeps_its_lines() {
    let rule = "# to allow it, add these lines to access.toml\n\n[[access]]\nuid = 1000\u{1b}[2J\nrole-aliases = [\"video\"]\n";
    let mut report = Report::default();
    report.ok(CLOCK, "right");
    report.add(AWS_CALL, Outcome::Warn, "no rule\ngrants it".to_owned(), Some(rule));
    report.warn(KEY, &Problem::wait("x").next("one line\n"));
    let text = report.text();
    let indent = " ".repeat(8 + AWS_CALL.name.len());
    let block = [
        "next:",
        "# to allow it, add these lines to access.toml",
        "",
        "[[access]]",
        "uid = 1000 [2J",
    ];
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let expected: Vec<String> = block
        .iter()
        .map(|line| format!("{indent}{line}").trim_end().to_owned())
        .collect();
    assert_eq!(lines[3..8], expected, "{text}");
    assert!(
        text.contains(&format!("{indent}role-aliases = [\"video\"]\nwarn  key")),
        "{text}"
    );
    assert!(text.ends_with(&format!("{indent}next: one line\n")), "{text}");
}
