//! The table of states in docs/operations.md, which the unit tests of the verdict verify.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

/// The description of a state in docs/operations.md.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) state: String,
    pub(super) exit_code: i64,
    pub(super) is_working: bool,
    /// Whether a health report can be sent.
    pub(super) has_health_report: bool,
    /// Identifier and severity of each problem, in order.
    pub(super) problems: Vec<(String, String)>,
}

/// Reads the table.
pub(super) fn rows() -> BTreeMap<String, Row> {
    let path = format!("{}/docs/operations.md", env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(path).unwrap();
    let (_, table) = page.split_once("\n| gateway | ").unwrap();
    let (header, rows) = table.split_once('\n').unwrap();
    let columns: Vec<&str> = header.trim_end_matches(" |").split(" | ").collect();
    let rows = rows.lines().skip(1).take_while(|line| line.starts_with("| "));
    rows.map(|row| {
        let mut cells = row.trim_start_matches("| ").trim_end_matches(" |").split(" | ");
        let name = cells.next().unwrap().to_owned();
        let cells: BTreeMap<&str, &str> = columns.iter().copied().zip(cells).collect();
        let row = Row {
            state: cells["state"].to_owned(),
            exit_code: cells["exit code"].parse().unwrap(),
            is_working: cells["`gatepost_working`"] == "1",
            has_health_report: cells["health report"] == "sent",
            problems: problems(cells["problems"]),
        };
        (name, row)
    })
    .collect()
}

/// Parses the problems in a cell: `` `token-waiting` (waiting), `session-down` (attention) ``.
fn problems(cell: &str) -> Vec<(String, String)> {
    let problem = |text: &str| {
        let (id, severity) = text.trim().split_once(' ')?;
        let severity = severity.trim_start_matches('(').trim_end_matches(')');
        Some((id.trim_matches('`').to_owned(), severity.to_owned()))
    };
    cell.split(',').filter_map(problem).collect()
}

impl Row {
    /// Returns whether a status document matches this row.
    pub(super) fn matches(&self, status: &Value) -> bool {
        let problems = status["problems"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let problems: Vec<_> = problems
            .map(|problem| (text(&problem["id"]), text(&problem["severity"])))
            .collect();
        status["state"] == *self.state
            && status["exit_code"] == self.exit_code
            && status["working"] == self.is_working
            && problems == self.problems
    }
}

/// States that are not produced on a real gateway here; the unit tests of the verdict cover them.
const NOT_PRODUCED: &[(&str, &str)] = &[
    (
        "the signing request cannot be written",
        "a disk that is full stops the message store as well",
    ),
    (
        "the token does not support what is needed",
        "the daemon ends unless it has credentials of the previous run",
    ),
    ("the token works again after faults", "the next signature ends it"),
    (
        "the certificate has just expired, and the identity was not checked yet",
        "it lasts for less than a second",
    ),
    (
        "the certificate has expired, and its file is for another key",
        "two states that are here, at once",
    ),
    (
        "an expired certificate was put over the good one",
        "the same as one for another key",
    ),
    (
        "AWS has never accepted the certificate",
        "AWS must drop it for two minutes",
    ),
    (
        "AWS keeps dropping a certificate that it has accepted before",
        "AWS must drop it for two minutes",
    ),
    (
        "AWS does not accept a new certificate, and the one before is used",
        "AWS must drop it for two minutes",
    ),
    (
        "the previous session was discarded",
        "three lost connections come before it",
    ),
    (
        "no credentials of a role alias have arrived yet",
        "the first answer ends it, whatever it is",
    ),
    (
        "the credentials have expired, and nothing has failed since",
        "an attempt that fails ends it",
    ),
    ("the message database is being read", "it lasts for less than a second"),
    ("the MQTT listener is starting", "it lasts for less than a second"),
    (
        "a secret of MQTT programs cannot be used",
        "produced with a loopback listener that lacks the same secret",
    ),
    (
        "gatepost may open no more files",
        "the tests of the MQTT listener produce it, with a connection that was open before",
    ),
    (
        "there is no memory for connections",
        "this machine needs its memory; a unit test of the listeners has the errors of accept(2)",
    ),
    (
        "a subscription is set aside, because its messages end every connection",
        "the tests of the session produce it, with a broker of their own",
    ),
    (
        "the certificate ends in 20 days, the link is down, and the disk is full",
        "three states that are here, at once",
    ),
];

/// The table and these tests contain the same states.
#[test]
fn promise_16_every_documented_state_is_produced_or_excused() {
    let folder = format!("{}/tests/e2e/states", env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources: Vec<_> = files
        .filter(|path| !path.ends_with("documented.rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let is_produced = |name: &str| sources.iter().any(|source| source.contains(&format!("\"{name}\"")));
    let rows = rows();
    let missing: Vec<_> = rows
        .keys()
        .filter(|name| is_produced(name) == NOT_PRODUCED.iter().any(|(excused, _)| excused == *name))
        .collect();
    assert!(missing.is_empty(), "neither or both: {missing:#?}");
    assert!(NOT_PRODUCED.iter().all(|(excused, _)| rows.contains_key(*excused)));
    let produced = rows.len() - NOT_PRODUCED.len();
    assert!(produced >= 30, "{produced} states");
}
