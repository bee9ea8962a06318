//! `gatepost policy`: the printed policy is sufficient, and each of its statements is necessary.

use std::io::Write;
use std::process::Command;

use cloudlet::{Event, Options, Policy, Role, RoleAlias};
use rig::token::SoftHsm;
use rig::unix_http;
use serde_json::Value;

use crate::support::{Gateway, PIN, SOON, THING, World, options};

/// Returns the policy that the command prints for this gateway's configuration.
fn printed(gateway: &Gateway, account: &str) -> Value {
    let config = gateway.write_config();
    let output = Command::new(gateway.client())
        .args(["policy", "--config"])
        .arg(config)
        .args(["--account", account])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Creates a world whose template gives devices this policy.
fn world_with(document: &Value) -> World {
    let options = Options {
        policy: Policy::named_by_document(&document.to_string()).unwrap(),
        ..options()
    };
    let mut world = World::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), options);
    configure(&mut world.gateway);
    world
}

fn configure(gateway: &mut Gateway) {
    gateway.configure(
        "[[role-alias]]",
        "[mqtt]\npresence-topic = \"{thing}/presence\"\n[[role-alias]]",
    );
    gateway.configure(
        "role-aliases = [\"*\"]",
        "role-aliases = [\"*\"]\npublish = [\"{thing}/data/#\"]\nsubscribe = [\"{thing}/cmd/+\"]",
    );
}

#[test]
fn the_printed_policy_is_enough_and_no_more() {
    let mut template = World::new();
    configure(&mut template.gateway);
    let document = printed(&template.gateway, "123456789012");
    let sids: Vec<&str> = document["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| statement["Sid"].as_str().unwrap())
        .collect();
    assert_eq!(
        sids,
        ["Connect", "Presence", "Publish", "Subscribe", "Receive", "Credentials"]
    );

    let mut world = world_with(&document);
    world.bring_online();
    let announced =
        |event: &Event| matches!(event, Event::Published { topic, .. } if *topic == format!("{THING}/presence"));
    world.cloud.wait_for(SOON, announced).unwrap();

    // Messages in both directions, for what the rules grant.
    let published = unix_http::request_raw(
        &world.gateway.socket(),
        b"POST /topics/%7Bthing%7D/data/a?retain=true&wait=ack HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
    );
    assert_eq!(published.unwrap().status, 200);
    let mut subscription = unix_http::connect(&world.gateway.socket()).unwrap();
    subscription
        .write_all(b"GET /topics/%7Bthing%7D/cmd/%2B HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let subscribed = |event: &Event| matches!(event, Event::Decided { decision, .. } if decision.action == "iot:Subscribe" && decision.allowed);
    world.cloud.wait_for(SOON, subscribed).unwrap();
    let nothing_denied = |event: &Event| matches!(event, Event::Decided { decision, .. } if !decision.allowed);
    assert!(!world.cloud.events().iter().any(nothing_denied));

    // An alias that is not configured is not allowed, even if it exists.
    let role = "arn:aws:iam::123456789012:role/other";
    world.cloud.add_role(Role::trusting(role)).unwrap();
    world.cloud.add_role_alias(RoleAlias::new("other", role)).unwrap();
    world.gateway.stop();
    world
        .gateway
        .configure("[[access]]", "[[role-alias]]\nname = \"other\"\n[[access]]");
    world.gateway.start();
    let denied = |event: &Event| {
        matches!(event, Event::Decided { decision, .. }
            if !decision.allowed && decision.resource.ends_with(":rolealias/other"))
    };
    world.cloud.wait_for(SOON, denied).unwrap();
    world
        .gateway
        .wait_for("session.phase", |_| world.gateway.credentials().status == 200);
}

#[test]
fn each_statement_of_the_printed_policy_is_needed() {
    let mut template = World::new();
    configure(&mut template.gateway);
    let document = printed(&template.gateway, "123456789012");
    for (left_out, action) in [
        ("Connect", "iot:Connect"),
        ("Presence", "iot:Publish"),
        ("Credentials", "iot:AssumeRoleWithCertificate"),
    ] {
        let mut less = document.clone();
        let statements = less["Statement"].as_array_mut().unwrap();
        statements.retain(|statement| statement["Sid"] != left_out);
        let mut world = world_with(&less);
        world.gateway.start();
        world.certify();
        let denied = |event: &Event| matches!(event, Event::Decided { decision, .. } if !decision.allowed && decision.action == action);
        world.cloud.wait_for(SOON, denied).unwrap();
    }
}

#[test]
fn a_wider_policy_is_noted_and_too_many_aliases_are_refused() {
    let mut world = World::new();
    let policy = |gateway: &Gateway| {
        let config = gateway.write_config();
        let mut command = Command::new(gateway.client());
        command.args(["policy", "--config"]).arg(config).output().unwrap()
    };
    let output = policy(&world.gateway);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("any account") && told.contains("any Region"), "{told}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let client = "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}";
    assert_eq!(document["Statement"][0]["Resource"][0], client);

    let aliases: String = (0..60)
        .map(|number| format!("[[role-alias]]\nname = \"an-alias-with-a-long-name-{number}\"\n"))
        .collect();
    world.gateway.configure("[[access]]", &format!("{aliases}[[access]]"));
    let output = policy(&world.gateway);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("2048") && output.stdout.is_empty(), "{told}");
}
