use std::path::PathBuf;

use super::*;
use crate::aws_files::{FileContents, ReadFile};
use crate::json::Value;

/// The table is also compared with botocore (tests/e2e/sdks/aws_files.rs).
const CASES: &str = include_str!("cases.json");

/// Returns the word for an outcome in the table.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Process { .. } => "process",
        Outcome::Container { .. } => "container",
        Outcome::Keys { .. } => "keys",
        Outcome::KeysOfEnvironment => "environment",
        Outcome::Role { .. } => "role",
        Outcome::WebIdentity { .. } => "web identity",
        Outcome::SingleSignOn { .. } => "sso",
        Outcome::Login { .. } => "login",
        Outcome::Nothing => "nothing",
        Outcome::Failure(failure) => match failure {
            Failure::Unparsable { .. } => "unparsable",
            Failure::NoSuchProfile { .. } => "no profile",
            Failure::Incomplete { missing, .. } if missing.starts_with("sso") => "invalid",
            Failure::NoSecretInEnvironment | Failure::Incomplete { .. } | Failure::NoSource { .. } => "incomplete",
            Failure::Loop { .. } => "loop",
            Failure::Quoting { .. } => "quoting",
            Failure::EmptyProcess { .. } => "empty process",
            _ => "invalid",
        },
    }
}

fn file(case: &Value, kind: &str) -> ReadFile {
    case.get(kind).text().map_or(ReadFile::Absent, |text| ReadFile::Text {
        path: PathBuf::from(kind),
        bytes: text.as_bytes().to_vec(),
        owner: 0,
        mode: 0o600,
    })
}

fn environment(case: &Value) -> Environment {
    let variables = match case.get("environment") {
        Value::Object(members) => members.clone(),
        _ => Vec::new(),
    };
    Environment::new(variables.iter().map(|(name, value)| (name, value.text().unwrap())))
}

#[test]
fn the_outcome_is_that_of_botocore() {
    let cases = Value::parse(CASES.as_bytes()).unwrap();
    assert!(cases.items().len() > 80);
    for case in cases.items() {
        let files = FileContents {
            config: file(case, "config"),
            credentials: file(case, "credentials"),
        };
        let name = case.get("name").text().unwrap();
        let outcome = resolve(&Profiles::new(&files), &environment(case), case.get("named").text());
        assert_eq!(Some(word(&outcome)), case.get("outcome").text(), "{name}: {outcome:?}");
        let shown = match &outcome {
            Outcome::Failure(failure) => format!("{outcome:?} {failure}"),
            outcome => format!("{outcome:?}"),
        };
        assert!(!shown.contains("AKIA") && !shown.contains("wJa"), "{name}: {shown}");
    }
}

#[test]
fn a_chain_without_an_end_costs_nothing() {
    let count = 20_000;
    let role = |number: usize| format!("[profile {number}]\nrole_arn = r\nsource_profile = {}\n", number + 1);
    let text: String = (0..count).map(role).collect();
    let files = FileContents {
        config: ReadFile::Text {
            path: "config".into(),
            bytes: text.into_bytes(),
            owner: 0,
            mode: 0o600,
        },
        credentials: ReadFile::Absent,
    };
    let outcome = resolve(&Profiles::new(&files), &Environment::default(), Some("0"));
    assert!(matches!(outcome, Outcome::Failure(Failure::Loop { .. })), "{outcome:?}");
}

#[test]
fn a_region_comes_from_the_environment_or_the_profile() {
    let files = FileContents {
        config: ReadFile::Text {
            path: "config".into(),
            bytes: b"[default]\noutput = json\n[profile t]\nregion = us-east-2\n".to_vec(),
            owner: 0,
            mode: 0o600,
        },
        credentials: ReadFile::Absent,
    };
    let profiles = Profiles::new(&files);
    for (variables, named, expected) in [
        (&[][..], None, false),
        (&[], Some("t"), true),
        (&[("AWS_PROFILE", "t")], None, true),
        (&[("AWS_REGION", "us-east-2")], None, true),
        (&[("AWS_DEFAULT_REGION", "us-east-2")], None, true),
        (&[("AWS_REGION", "")], None, false),
        (&[], Some("x"), false),
    ] {
        let environment = Environment::new(variables.iter().copied());
        assert_eq!(
            has_region(&profiles, &environment, named),
            expected,
            "{variables:?} {named:?}"
        );
    }
}
