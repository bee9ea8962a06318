//! {thing}/gatepost/status: presence with a report of the gateway's health.

use std::collections::BTreeSet;
use std::fs;

use cloudlet::{Event, Policy};
use serde_json::{Value, json};

use super::world;
use crate::dashboard::Dashboard;
use crate::registry::{attach, bring_online_registered, start_registered};
use crate::support::{SOON, THING, World};

#[test]
fn health_is_reported_when_it_changes() {
    let mut world = World::new();
    let dashboard = Dashboard::start(&world);
    bring_online_registered(&mut world);
    let found = rig::wait::until_some(SOON, "a report with credentials in it", || {
        let all = dashboard.presence();
        all.into_iter()
            .find(|report| report["role_aliases"][0]["phase"] == "valid")
    });
    let report = found.unwrap();
    assert_eq!(report["state"], "online");
    assert_eq!(report["role_aliases"][0]["name"], "telemetry");
    assert!(
        report["certificate_expires"].as_str().unwrap().ends_with('Z'),
        "{report}"
    );
    assert_eq!(report["outbox"]["queued"], 0);
    assert_eq!(report["problems"], json!([]));
}

/// Collects the fields of a document: `outbox.queued`, `role_aliases[].name`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            let separator = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{separator}{name}");
            fields(member, &path, found);
            found.insert(path);
        }),
        Value::Array(items) => items.iter().for_each(|item| fields(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// Collects the same fields from the schema.
fn fields_of_schema(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let separator = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{separator}{name}");
        fields_of_schema(member, &path, found);
        assert!(member["description"].is_string(), "{path} is not described");
        found.insert(path);
    }
    if schema["items"].is_object() {
        fields_of_schema(&schema["items"], &format!("{path}[]"), found);
    }
}

/// Asserts that a value conforms to the schema, for the keywords that the schema uses.
fn assert_conforms(value: &Value, schema: &Value, path: &str) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match (&schema["enum"], &schema["type"]) {
        (Value::Array(words), _) => words.contains(value),
        (_, Value::Array(kinds)) => kinds.contains(&kind.into()),
        (_, one) => one == kind,
    };
    assert!(allowed, "{path} is {value}, and the schema says {schema}");
    if let (Some("date-time"), Some(text)) = (schema["format"].as_str(), value.as_str()) {
        assert!(humantime::parse_rfc3339(text).is_ok(), "{path}: {text}");
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            !value[name.as_str().unwrap()].is_null() || value.get(name.as_str().unwrap()).is_some(),
            "{path}: no {name}"
        );
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        assert_conforms(member, &schema["properties"][name], &format!("{path}.{name}"));
    }
    for item in value.as_array().into_iter().flatten() {
        assert_conforms(item, &schema["items"], &format!("{path}[]"));
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Returns the first column of the table in docs/operations.md.
fn documented_fields() -> BTreeSet<String> {
    let page = read("docs/operations.md");
    let (_, section) = page.split_once("\n## The health report\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn every_field_of_the_report_is_in_its_schema_and_in_the_documentation() {
    let mut world = World::new();
    // The role alias does not exist at AWS, so there is a problem to report.
    world.gateway.config.push_str("\n[[role-alias]]\nname = \"video\"\n");
    let dashboard = Dashboard::start(&world);
    start_registered(&mut world);
    let is_full = |report: &Value| {
        let phases = report["role_aliases"].as_array().into_iter().flatten();
        let has_problems = report["problems"].as_array().is_some_and(|all| !all.is_empty());
        has_problems && phases.filter(|alias| alias["phase"] == "valid").count() == 1
    };
    rig::wait::until(SOON, "a report with everything in it", || {
        dashboard.presence().iter().any(is_full)
    })
    .unwrap();
    world.gateway.stop();
    let is_last = |report: &Value| report["state"] == "offline";
    rig::wait::until(SOON, "the last report", || dashboard.presence().iter().any(is_last)).unwrap();

    let schema: Value = serde_json::from_str(&read("docs/health-report.schema.json")).unwrap();
    let (mut sent, mut specified) = (BTreeSet::new(), BTreeSet::new());
    for report in dashboard.presence() {
        fields(&report, "", &mut sent);
        let unknown: Vec<_> = sent.difference(&documented_fields()).cloned().collect();
        assert_eq!(unknown, Vec::<String>::new(), "not in docs/operations.md: {report}");
        assert_conforms(&report, &schema, "");
    }
    fields_of_schema(&schema, "", &mut specified);
    assert_eq!(sent, specified, "left: sent, right: docs/health-report.schema.json");
    assert_eq!(sent, documented_fields(), "left: sent, right: docs/operations.md");
}

#[test]
fn reports_can_be_switched_off() {
    let mut world = World::new();
    world.gateway.config.push_str("[mqtt]\nreport-interval = \"off\"\n");
    let dashboard = Dashboard::start(&world);
    bring_online_registered(&mut world);
    rig::wait::until(SOON, "presence", || !dashboard.presence().is_empty()).unwrap();
    assert_eq!(
        dashboard.presence(),
        [json!({ "state": "online", "version": env!("CARGO_PKG_VERSION") })]
    );
}

#[test]
fn presence_is_retained_where_the_policy_allows_it_and_costs_no_connection_where_not() {
    let mut world = world();
    let refused = |world: &World| {
        let refused = |event: &&Event| matches!(event, Event::Decided { decision, .. } if decision.action == "iot:RetainPublish" && !decision.allowed);
        world.cloud.events().iter().filter(refused).count()
    };
    assert_eq!(refused(&world), 1, "it is tried once");
    assert_eq!(world.gateway.status()["session"]["problem"], json!(null));
    let retain = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:RetainPublish", "Resource": "*" },
    ]});
    attach(
        &world.cloud,
        &world.certificate_id(),
        &Policy::new("retain", &retain.to_string()).unwrap(),
    );
    let watch = |world: &World| Dashboard::watching(world, &format!("{THING}/gatepost/status"));
    // The first run learns that it may retain messages; the second one has a retained will.
    for _ in 0..2 {
        world.gateway.stop();
        world.gateway.start();
        world.gateway.wait_online();
        rig::wait::until(SOON, "a retained presence", || watch(&world).has_retained()).unwrap();
    }
    world.gateway.kill();
    let dashboard = watch(&world);
    let is_offline = || {
        dashboard
            .presence()
            .last()
            .is_some_and(|last| last["state"] == "offline")
    };
    rig::wait::until(SOON, "the will", is_offline).unwrap();
    // The will was published. If it is retained, later subscribers get it first.
    let later = watch(&world);
    rig::wait::until(SOON, "a retained will", || !later.presence().is_empty()).unwrap();
    assert_eq!(later.presence()[0]["state"], "offline");
}
