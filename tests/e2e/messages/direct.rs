//! SendDirectMessage with confirmation: AWS reports a delivery only for messages that a program or the disk has.

use cloudlet::switches::RefusedDirectMessage;
use rig::shell::Shell;
use serde_json::Value;

use super::{Subscription, subscribed, world};
use crate::support::{Gateway, SOON, THING, World, shell};

/// Sends a message with the AWS CLI; returns whether AWS reports a delivery, or the name of the error.
fn send(shell: &Shell, topic: &str, payload: &str, more: &str) -> Result<(), String> {
    let command =
        format!("aws iot-data send-direct-message --client-id {THING} --topic {topic} --payload '{payload}' {more}");
    let printed = shell.try_step(&command, "");
    match printed.success {
        true => Ok(()),
        false => {
            let name = printed.both.split(['(', ')']).find(|word| word.ends_with("Exception"));
            Err(name.unwrap_or(&printed.both).to_owned())
        }
    }
}

fn not_taken(gateway: &Gateway, count: u64) {
    gateway.wait_for("session.not_taken", |seen| seen.as_u64() == Some(count));
}

/// Waits until the inbox has no streams any more, so that no program gets a message.
fn nobody_wants(world: &World, shell: &Shell, topic: &str) {
    rig::wait::until(SOON, "the program is gone", || {
        send(shell, topic, "gone?", "--confirmation --timeout 1").is_err()
    })
    .unwrap();
    assert_eq!(world.gateway.status()["session"]["connects"], 1);
}

#[test]
fn promise_13_a_direct_message_is_delivered_only_once_a_program_or_the_disk_has_it() {
    const TIMEOUT: &str = "GatewayTimeoutException";
    let confirmed = "--confirmation --timeout 1";
    let mut world = world();
    let mut shell = shell(&world.cloud);
    // The AWS CLI repeats requests that were answered with 504.
    shell.set("AWS_MAX_ATTEMPTS", "1");
    let topic = format!("{THING}/cmd");
    assert_eq!(send(&shell, &topic, "nobody", confirmed).unwrap_err(), TIMEOUT);
    not_taken(&world.gateway, 1);
    world.gateway.wait_for_log("has taken a message on gw-1/cmd");
    // AWS's reaction to a failure code is not documented. If it is taken for a confirmation, the sender is told that it was delivered.
    let set = |setting| {
        world
            .cloud
            .switches()
            .set(|switches| switches.refused_direct_message = setting)
    };
    set(RefusedDirectMessage::Confirmed);
    assert_eq!(send(&shell, &topic, "nobody", confirmed), Ok(()));
    set(RefusedDirectMessage::Unconfirmed);

    // A program that is subscribed; AWS need not know its subscription.
    let mut program = Subscription::open(&world.gateway, &topic);
    subscribed(&world, &topic);
    let properties = "--content-type text/plain --user-properties '[{\"k\":\"v\"}]'";
    let more = format!("--confirmation --timeout 15 {properties}");
    assert_eq!(send(&shell, &topic, "reboot", &more), Ok(()));
    let line = program.next().unwrap();
    assert_eq!(
        (&line["payload"], &line["contentType"]),
        (&Value::from("reboot"), &Value::from("text/plain"))
    );
    assert_eq!(line["userProperties"], serde_json::json!([["k", "v"]]));
    assert_eq!(send(&shell, &topic, "unconfirmed", "--no-confirmation"), Ok(()));
    let line = program.next().unwrap();
    assert_eq!(
        (&line["payload"], &line["qos"]),
        (&Value::from("unconfirmed"), &Value::from(0))
    );
    assert_eq!(
        send(&shell, "elsewhere/cmd", "denied", confirmed).unwrap_err(),
        "ForbiddenException"
    );
    drop(program);
    nobody_wants(&world, &shell, &topic);

    // A message that is stored for a durable subscription counts as delivered, though its program is away.
    drop(Subscription::open(&world.gateway, &format!("{topic}?name=worker")));
    assert_eq!(send(&shell, &topic, "kept", "--confirmation --timeout 15"), Ok(()));
    Subscription::open(&world.gateway, &format!("{topic}?name=worker")).expect("kept");
    world.gateway.stop();
    assert_eq!(
        send(&shell, &topic, "offline", confirmed).unwrap_err(),
        "ResourceNotFoundException"
    );
}

#[test]
fn aws_tells_of_the_connection_and_its_subscriptions() {
    let mut world = world();
    let shell = shell(&world.cloud);
    let topic = format!("{THING}/cmd");
    let program = Subscription::open(&world.gateway, &topic);
    subscribed(&world, &topic);
    let connection = || {
        shell.json(&format!(
            "aws iot-data get-connection --client-id {THING} --include-socket-information"
        ))
    };
    let found = connection();
    assert_eq!(
        (&found["connected"], &found["cleanSession"]),
        (&true.into(), &false.into()),
        "{found}"
    );
    assert_eq!(
        (&found["thingName"], &found["sourceIp"]),
        (&THING.into(), &"127.0.0.1".into()),
        "{found}"
    );
    let list = format!("aws iot-data list-subscriptions --client-id {THING}");
    let expected = serde_json::json!([{ "topicFilter": topic, "qos": 1 }]);
    assert_eq!(shell.json(&list)["subscriptions"], expected);
    drop(program);
    world.gateway.stop();
    rig::wait::until(SOON, "the end of the connection", || connection()["connected"] == false).unwrap();
    assert_eq!(connection()["disconnectReason"], "CLIENT_INITIATED_DISCONNECT");
    let stranger = shell.try_step("aws iot-data get-connection --client-id stranger", "");
    assert!(stranger.both.contains("ResourceNotFoundException"), "{}", stranger.both);
}
