//! POST /topics/{topic}: an accepted message is on the disk, and arrives.

use cloudlet::{Event, Policy};
use serde_json::json;

use super::{back_online, post, publish, take_offline, world};
use crate::cloud_view::mark;
use crate::dashboard::Dashboard;
use crate::registry::attach;
use crate::support::THING;

#[test]
fn promise_5_a_message_accepted_while_offline_arrives_after_a_kill() {
    let mut world = world();
    let dashboard = Dashboard::start(&world);
    take_offline(&world);
    for number in 0..50 {
        publish(&world.gateway, &format!("{THING}/data?qos=1"), &number.to_string());
    }
    world.gateway.wait_for("messages.queued", |queued| queued == 50);
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_for("messages.queued", |queued| queued == 50);
    back_online(&world);
    dashboard.wait_for(&format!("{THING}/data"), "49");
    let numbers: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(
        dashboard.payloads(&format!("{THING}/data")),
        numbers,
        "each once, in order"
    );
    world.gateway.wait_for("messages.queued", |queued| queued == 0);
}

#[test]
fn promise_6_rejected_messages_are_parked_with_the_reason() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let answer = post(&world.gateway, "/topics/others/data?wait=ack", "", b"forbidden");
    assert_eq!(answer.status, 502, "{:?}", answer.json());
    let refusal = answer.json().unwrap();
    assert_eq!(refusal["code"], "refused_by_aws");
    assert!(
        refusal["message"].as_str().unwrap().contains("not authorized (0x87)"),
        "{refusal}"
    );
    publish(&world.gateway, &format!("{THING}/data"), "allowed");
    dashboard.wait_for(&format!("{THING}/data"), "allowed");
    let status = world.gateway.status();
    assert_eq!(status["messages"]["parked"], 1, "{status}");
    assert_eq!(status["session"]["connects"], 1, "no connection was lost over it");
}

#[test]
fn retained_messages_and_properties_go_to_aws_as_its_own_http_publish_has_them() {
    let world = world();
    let retain = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:RetainPublish", "Resource": "*" },
    ]});
    attach(
        &world.cloud,
        &world.certificate_id(),
        &Policy::new("retain", &retain.to_string()).unwrap(),
    );
    let dashboard = Dashboard::start(&world);
    let user = "W3siYSI6IjEifV0="; // [{"a":"1"}]
    let answer = post(
        &world.gateway,
        &format!("/topics/{THING}%2Fconfig?qos=1&retain=true&contentType=text%2Fplain&messageExpiry=600&wait=ack"),
        &format!("x-amz-mqtt5-user-properties: {user}\r\nx-amz-mqtt5-payload-format-indicator: UTF8_DATA\r\n"),
        b"kept",
    );
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    dashboard.wait_for(&format!("{THING}/config"), "kept");
    // A program that subscribes later still gets it, with all properties.
    let mut late = super::Subscription::open(&world.gateway, &format!("{THING}/config"));
    let line = late.next().unwrap();
    assert_eq!(line["payload"], "kept", "{line}");
    assert_eq!(line["retained"], true, "{line}");
    assert_eq!(line["contentType"], "text/plain", "{line}");
    assert_eq!(line["userProperties"], json!([["a", "1"]]), "{line}");
    assert_eq!(line["payloadFormatIndicator"], 1, "{line}");
}

#[test]
fn promise_5_aws_discards_nothing_however_fast_a_program_publishes() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let before = mark(&world.cloud);
    for number in 0..250 {
        publish(&world.gateway, &format!("{THING}/data"), &number.to_string());
    }
    dashboard.wait_for(&format!("{THING}/data"), "249");
    world.gateway.wait_for("messages.queued", |queued| queued == 0);
    let discarded = |event: &&Event| matches!(event, Event::Discarded { .. });
    assert_eq!(world.cloud.events().iter().skip(before).filter(discarded).count(), 0);
    assert_eq!(dashboard.payloads(&format!("{THING}/data")).len(), 250);
}

#[test]
fn promise_6_a_message_that_makes_aws_disconnect_is_found_and_parked() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let poison = Some("/poison".to_owned());
    world.cloud.switches().set(|switches| switches.hang_up_on = poison);
    publish(&world.gateway, &format!("{THING}/data"), "before it");
    publish(&world.gateway, &format!("{THING}/poison"), "x");
    publish(&world.gateway, &format!("{THING}/data"), "behind it");
    dashboard.wait_for(&format!("{THING}/data"), "behind it");
    world.gateway.wait_for("messages.parked", |parked| parked == 1);
    world.gateway.wait_for("messages.queued", |queued| queued == 0);
    let parked = world.gateway.get("/v1/outbox/parked").json().unwrap();
    assert_eq!(parked["messages"][0]["topic"], format!("{THING}/poison"), "{parked}");
}
