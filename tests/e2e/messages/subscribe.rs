//! GET /topics/{filter}: messages from the cloud reach the programs that subscribe to them, and no reader affects another.

use cloudlet::Event;
use rig::unix_http;
use std::io::Write;

use super::{Subscription, subscribed, world};
use crate::dashboard::Dashboard;
use crate::support::{SOON, THING, World};

fn subscribes(world: &World) -> usize {
    let asked = |event: &&Event| matches!(event, Event::Decided { decision, .. } if decision.action == "iot:Subscribe");
    world.cloud.events().iter().filter(asked).count()
}

#[test]
fn programs_on_one_filter_share_a_subscription_and_each_gets_every_message_once() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let filters = ["cmd/%23", "cmd/%2B", "cmd/a", "cmd/a", "%7Bthing%7D/no"];
    let mut programs: Vec<Subscription> = filters
        .iter()
        .map(|filter| match filter.starts_with('%') {
            true => Subscription::open(&world.gateway, filter),
            false => Subscription::open(&world.gateway, &format!("{THING}/{filter}")),
        })
        .collect();
    subscribed(&world, &format!("{THING}/cmd/#"));
    subscribed(&world, &format!("{THING}/no"));
    // Each filter without wildcards is subscribed to separately once, to get the retained message, and then unsubscribed.
    rig::wait::until(SOON, "only the largest filter is left", || {
        world
            .gateway
            .log()
            .matches(&format!("unsubscribed from {THING}/cmd/a"))
            .count()
            == 1
    })
    .unwrap();
    for number in 0..3 {
        dashboard.publish(&format!("{THING}/cmd/a"), &number.to_string(), &[]);
    }
    for program in &mut programs[..4] {
        let seen: Vec<String> = (0..3).map(|_| program.payload()).collect();
        assert_eq!(seen, ["0", "1", "2"]);
    }
}

#[test]
fn a_line_has_all_fields_and_bytes_are_base64() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let mut program = Subscription::open(&world.gateway, &format!("{THING}/cmd?qos=1"));
    subscribed(&world, &format!("{THING}/cmd"));
    let more = [
        "-D",
        "publish",
        "user-property",
        "k",
        "v",
        "-D",
        "publish",
        "content-type",
        "text/plain",
    ];
    dashboard.publish(&format!("{THING}/cmd"), "go", &more);
    let line = program.next().unwrap();
    assert_eq!(line["topic"], format!("{THING}/cmd"));
    assert_eq!(line["payload"], "go");
    assert_eq!(line["qos"], 1);
    assert_eq!(line["contentType"], "text/plain");
    assert_eq!(line["userProperties"], serde_json::json!([["k", "v"]]));
    assert!(line["received"].as_str().unwrap().ends_with('Z'), "{line}");
}

#[test]
fn promise_6_a_reader_that_never_reads_is_cut_and_the_others_get_everything() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let mut deaf = unix_http::connect(&world.gateway.socket()).unwrap();
    let target = format!("GET /topics/{THING}/cmd HTTP/1.1\r\nHost: localhost\r\n\r\n");
    deaf.write_all(target.as_bytes()).unwrap();
    let mut program = Subscription::open(&world.gateway, &format!("{THING}/cmd"));
    subscribed(&world, &format!("{THING}/cmd"));
    let big = "x".repeat(100_000);
    let mut seen = 0;
    rig::wait::until(SOON, "the deaf reader is cut off", || {
        dashboard.publish(&format!("{THING}/cmd"), &big, &[]);
        assert_eq!(program.payload().len(), big.len());
        seen += 1;
        world.gateway.log().contains("was cut off")
    })
    .unwrap();
    dashboard.publish(&format!("{THING}/cmd"), "still here", &[]);
    assert_eq!(program.payload(), "still here");
    assert_eq!(world.gateway.status()["session"]["connects"], 1);
    // The number of messages that AWS sends without an acknowledgement, plus those in the socket's buffers.
    assert!(
        seen < 110,
        "{seen} messages of 100 kB were held for a reader that never reads"
    );
}

#[test]
fn promise_8_subscriptions_outlive_connections_sessions_and_the_broker() {
    let mut world = world();
    let dashboard = Dashboard::start(&world);
    let mut program = Subscription::open(&world.gateway, &format!("{THING}/cmd"));
    subscribed(&world, &format!("{THING}/cmd"));
    dashboard.publish(&format!("{THING}/cmd"), "first", &[]);
    assert_eq!(program.payload(), "first");
    let before = subscribes(&world);
    world.cloud.disconnect(THING);
    world.gateway.wait_for("session.connects", |connects| connects == 2);
    dashboard.publish(&format!("{THING}/cmd"), "resumed", &[]);
    program.expect("resumed");
    assert_eq!(
        subscribes(&world),
        before,
        "the session was present, so nothing is subscribed again"
    );
    world.cloud.broker().wipe_database().unwrap();
    world
        .gateway
        .wait_for("session.session_present", |present| present == false);
    rig::wait::until(SOON, "a new subscription", || subscribes(&world) > before).unwrap();
    drop(dashboard);
    let dashboard = Dashboard::start(&world);
    dashboard.publish(&format!("{THING}/cmd"), "anew", &[]);
    program.expect("anew");
    world.gateway.stop();
    let end = program.next().unwrap();
    assert_eq!(end["code"], "ending", "the stream ends with the daemon: {end}");
    assert_eq!(program.next(), None);
}

#[test]
fn promise_6_a_filter_that_the_policy_forbids_ends_its_stream_with_the_reason() {
    let world = world();
    let mut program = Subscription::open(&world.gateway, "others/%23");
    let line = program.next().unwrap();
    assert_eq!(line["code"], "refused", "{line}");
    assert!(
        line["message"].as_str().unwrap().contains("not authorized (0x87)"),
        "{line}"
    );
    assert!(line["hint"].as_str().unwrap().contains("iot:Subscribe"), "{line}");
    assert_eq!(program.next(), None);
    assert_eq!(world.gateway.status()["session"]["connects"], 1);
    // A part of it that is allowed can be subscribed to.
    let dashboard = Dashboard::start(&world);
    let mut wide = Subscription::open(&world.gateway, "%23");
    let mut narrow = Subscription::open(&world.gateway, &format!("{THING}/cmd"));
    assert_eq!(wide.next().unwrap()["code"], "refused");
    subscribed(&world, &format!("{THING}/cmd"));
    dashboard.publish(&format!("{THING}/cmd"), "go", &[]);
    assert_eq!(narrow.payload(), "go");
}

#[test]
fn a_burst_of_large_messages_reaches_a_program_that_reads() {
    let world = world();
    let mut program = Subscription::open(&world.gateway, &format!("{THING}/cmd"));
    subscribed(&world, &format!("{THING}/cmd"));
    // Control characters take six bytes each in JSON.
    let big = vec![1; 100_000];
    for _ in 0..20 {
        let target = format!("/topics/{THING}/cmd");
        assert_eq!(super::post(&world.gateway, &target, "", &big).status, 200);
    }
    for number in 0..20 {
        let line = program
            .next()
            .unwrap_or_else(|| panic!("the stream ended after {number}"));
        assert_eq!(line["payload"].as_str().map(str::len), Some(big.len()), "{line}");
    }
}

#[test]
fn unsubscribed_filters_make_room_for_new_ones() {
    let world = world();
    let open = |from: usize, number: usize| -> Vec<Subscription> {
        (from..from + number)
            .map(|number| Subscription::open(&world.gateway, &format!("{THING}/{number}")))
            .collect()
    };
    let first = open(0, 30);
    subscribed(&world, &format!("{THING}/29"));
    drop(first);
    let _second = open(30, 30);
    subscribed(&world, &format!("{THING}/59"));
    assert_eq!(
        world.gateway.status()["session"]["connects"],
        1,
        "AWS ends a connection with more than 50"
    );
}

#[test]
fn promise_7_removing_a_rule_ends_its_subscriptions() {
    let mut world = world();
    let mut live = Subscription::open(&world.gateway, &format!("{THING}/cmd"));
    let mut durable = Subscription::open(&world.gateway, &format!("{THING}/cmd?name=worker"));
    let mut other = Subscription::open(&world.gateway, &format!("{THING}/jobs"));
    let left = world
        .gateway
        .config
        .replace("\"#\", \"$aws", &format!("\"{THING}/jobs\", \"$aws"));
    assert_ne!(left, world.gateway.config);
    std::fs::write(world.gateway.write_config(), left).unwrap();
    world.gateway.process().signal(rig::process::Signal::HUP).unwrap();
    for program in [&mut live, &mut durable] {
        assert_eq!(program.next().unwrap()["code"], "not_allowed");
        assert_eq!(program.next(), None);
    }
    let dashboard = Dashboard::start(&world);
    subscribed(&world, &format!("{THING}/jobs"));
    dashboard.publish(&format!("{THING}/jobs"), "goes on", &[]);
    other.expect("goes on");
}
