//! GET /topics/{filter}?name=N: messages that arrive while the program is away wait for it on the disk.

use super::{Subscription, post, request, world};
use crate::dashboard::Dashboard;
use crate::support::{SOON, THING};

#[test]
fn promise_5_a_durable_subscription_loses_nothing_in_a_crash_of_its_program_or_of_the_daemon() {
    let mut world = world();
    let dashboard = Dashboard::start(&world);
    let target = format!("{THING}/jobs/%23?name=worker");
    let mut program = Subscription::open(&world.gateway, &target);
    world
        .cloud
        .wait_for(
            SOON,
            |event| matches!(event, cloudlet::Event::Decided { decision, .. } if decision.action == "iot:Subscribe"),
        )
        .unwrap();
    for number in 0..3 {
        dashboard.publish(&format!("{THING}/jobs/a"), &number.to_string(), &[]);
    }
    let first = program.next().unwrap();
    assert_eq!(first["payload"], "0");
    let acknowledge = |gateway: &crate::support::Gateway, id: &serde_json::Value| {
        let body = serde_json::json!({ "id": id }).to_string();
        post(gateway, "/subscriptions/worker/ack", "", body.as_bytes()).status
    };
    assert_eq!(acknowledge(&world.gateway, &first["id"]), 200);
    let unseen = serde_json::json!(1_000_000);
    assert_eq!(acknowledge(&world.gateway, &unseen), 400, "nobody has that one yet");
    assert_eq!(program.payload(), "1");
    // The program dies while it processes "1"; more messages arrive meanwhile.
    drop(program);
    for number in 3..6 {
        dashboard.publish(&format!("{THING}/jobs/a"), &number.to_string(), &[]);
    }
    let waiting = |gateway: &crate::support::Gateway| {
        let list = gateway.get("/subscriptions").json().unwrap_or_default();
        list["subscriptions"][0]["waiting"].as_u64().unwrap_or(0)
    };
    rig::wait::until(SOON, "five messages wait", || waiting(&world.gateway) == 5).unwrap();
    world.gateway.kill();
    world.gateway.start();
    rig::wait::until(SOON, "the socket answers", || {
        world.gateway.status() != serde_json::Value::Null
    })
    .unwrap();
    let mut program = Subscription::open(&world.gateway, &target);
    let seen: Vec<serde_json::Value> = (0..5).map(|_| program.next().unwrap()).collect();
    let payloads: Vec<&str> = seen.iter().map(|line| line["payload"].as_str().unwrap()).collect();
    assert_eq!(payloads, ["1", "2", "3", "4", "5"]);
    assert_eq!(acknowledge(&world.gateway, &seen[4]["id"]), 200);
    world.gateway.wait_online();
    dashboard.publish(&format!("{THING}/jobs/a"), "live", &[]);
    // A message that was stored but not yet acknowledged to AWS when the daemon was killed has arrived once more.
    let live = loop {
        let line = program.next().unwrap();
        match line["payload"].as_str().unwrap() {
            "live" => break line,
            again => assert!(payloads.contains(&again), "{line}"),
        }
    };
    assert!(
        live["id"].as_i64() > seen[4]["id"].as_i64(),
        "a number is never used again"
    );
    // A second reader replaces the first one, which is notified.
    let mut second = Subscription::open(&world.gateway, &target);
    assert_eq!(program.next().unwrap()["code"], "taken_over");
    second.expect("live");
    assert_eq!(
        request(&world.gateway, "DELETE", "/subscriptions/worker", "", b"").status,
        200
    );
    assert_eq!(second.next().unwrap()["code"], "deleted");
    assert_eq!(acknowledge(&world.gateway, &live["id"]), 404);
}

#[test]
fn durable_subscriptions_are_bounded_and_losses_are_counted() {
    let mut world = crate::support::World::new();
    super::configure(&mut world);
    world.gateway.config.push_str("[mqtt]\ninbox-max-messages = 3\n");
    crate::registry::bring_online_registered(&mut world);
    let dashboard = Dashboard::start(&world);
    let target = format!("{THING}/jobs?name=worker");
    drop(Subscription::open(&world.gateway, &target));
    world
        .cloud
        .wait_for(
            SOON,
            |event| matches!(event, cloudlet::Event::Decided { decision, .. } if decision.action == "iot:Subscribe"),
        )
        .unwrap();
    for number in 0..5 {
        dashboard.publish(&format!("{THING}/jobs"), &number.to_string(), &[]);
    }
    world.gateway.wait_for("messages.inbox_dropped", |dropped| dropped == 2);
    let mut program = Subscription::open(&world.gateway, &target);
    let seen: Vec<String> = (0..3).map(|_| program.payload()).collect();
    assert_eq!(seen, ["2", "3", "4"]);
    let list = world.gateway.get("/subscriptions").json().unwrap();
    assert_eq!(list["subscriptions"][0]["dropped"], 2, "{list}");
}

#[test]
fn promise_6_each_reader_of_a_refused_durable_subscription_gets_the_reason() {
    let world = world();
    for _ in 0..2 {
        let mut program = Subscription::open(&world.gateway, "others/%23?name=refused");
        assert_eq!(program.next().unwrap()["code"], "refused");
        assert_eq!(program.next(), None);
    }
}

#[test]
fn a_retained_message_that_is_repeated_for_others_is_kept_once() {
    let mut world = world();
    let dashboard = Dashboard::start(&world);
    let topic = format!("{THING}/settings");
    dashboard.publish(&topic, "kept", &["-r"]);
    let mut program = Subscription::open(&world.gateway, &format!("{topic}?name=worker"));
    assert_eq!(program.payload(), "kept");
    let waiting = |world: &crate::support::World| {
        let list = world.gateway.get("/subscriptions").json().unwrap();
        list["subscriptions"][0]["waiting"].as_u64().unwrap()
    };
    // AWS sends the message at each SUBSCRIBE: for another program's subscription, and for the first one after a start.
    for (number, text) in ["while it is new", "after a restart"].into_iter().enumerate() {
        let mut other = Subscription::open(&world.gateway, &topic);
        assert_eq!(other.payload(), "kept");
        dashboard.publish(&topic, text, &[]);
        other.expect(text);
        rig::wait::until(SOON, text, || waiting(&world) >= 2 + number as u64).unwrap();
        assert_eq!(waiting(&world), 2 + number as u64, "{text}");
        drop((other, program));
        world.gateway.stop();
        world.gateway.start();
        world.gateway.wait_online();
        program = Subscription::open(&world.gateway, &format!("{topic}?name=worker"));
    }
    let seen: Vec<String> = (0..3).map(|_| program.payload()).collect();
    assert_eq!(seen, ["kept", "while it is new", "after a restart"]);
}

#[test]
fn an_owner_at_the_limit_can_take_over_its_subscription() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let target = format!("{THING}/jobs?name=worker");
    let mut first = Subscription::open(&world.gateway, &target);
    let plain = || Subscription::open(&world.gateway, &format!("{THING}/jobs"));
    let mut others: Vec<Subscription> = (0..31).map(|_| plain()).collect();
    let second = Subscription::open(&world.gateway, &target);
    assert_eq!(first.next().unwrap()["code"], "taken_over");
    drop((first, second));
    // Until the daemon has noticed that the streams were closed, they count.
    let has_room = || {
        let stream = Subscription::try_open(&world.gateway, &format!("{THING}/jobs"));
        others.extend(stream.ok());
        others.len() == 32
    };
    rig::wait::until(SOON, "room for another stream", has_room).unwrap();
    let refused = world.gateway.get(&format!("/topics/{THING}/other?name=worker"));
    assert_eq!(refused.status, 429, "{:?}", refused.json());
    let list = world.gateway.get("/subscriptions").json().unwrap();
    assert_eq!(list["subscriptions"][0]["filter"], format!("{THING}/jobs"));
    drop(others);
    super::subscribed(&world, &format!("{THING}/jobs"));
    dashboard.publish(&format!("{THING}/jobs"), "still", &[]);
    assert_eq!(Subscription::open(&world.gateway, &target).payload(), "still");
}

#[test]
fn promise_5_retained_messages_are_delivered_after_a_lost_session() {
    let mut world = crate::support::World::new();
    super::configure(&mut world);
    world.gateway.config.push_str("[mqtt]\nsession-expiry = \"0s\"\n");
    crate::registry::bring_online_registered(&mut world);
    let dashboard = Dashboard::start(&world);
    let topic = format!("{THING}/settings");
    dashboard.publish(&topic, "one", &["-r"]);
    let mut program = Subscription::open(&world.gateway, &format!("{topic}?name=worker"));
    assert_eq!(program.payload(), "one");
    drop(program);
    world.gateway.stop();
    dashboard.publish(&topic, "two", &["-r"]);
    world.gateway.start();
    world.gateway.wait_online();
    let mut program = Subscription::open(&world.gateway, &format!("{topic}?name=worker"));
    program.expect("two");
    // A reader that has stayed connected cannot know what it has missed either.
    let mut plain = Subscription::open(&world.gateway, &topic);
    plain.expect("two");
    assert_eq!(world.cloud.disconnect(THING), 1);
    plain.expect("two");
    program.expect("two");
}

/// Rules are checked at the time of use: messages that arrive while no rule allows a subscription are not stored for it, and stored ones
/// are delivered once a rule allows it again.
#[test]
fn promise_7_a_durable_subscription_follows_the_current_rules() {
    let mut world = world();
    let dashboard = Dashboard::start(&world);
    let (jobs, target) = (format!("{THING}/jobs"), format!("{THING}/jobs/%23?name=worker"));
    drop(Subscription::open(&world.gateway, &target));
    super::subscribed(&world, "/jobs/#");
    let listed = |gateway: &crate::support::Gateway, field: &str| {
        let list = gateway.get("/subscriptions").json().unwrap_or_default();
        list["subscriptions"][0][field].clone()
    };
    for topic in ["a", "b"] {
        dashboard.publish(&format!("{jobs}/{topic}"), &format!("before {topic}"), &[]);
    }
    rig::wait::until(SOON, "two wait", || listed(&world.gateway, "waiting") == 2).unwrap();
    let all = world.gateway.config.clone();
    let reload = |world: &mut crate::support::World, rules: &str| {
        let config = all.replace("subscribe = [\"#\", ", &format!("subscribe = [{rules}"));
        std::fs::write(world.gateway.write_config(), config).unwrap();
        world.gateway.process().signal(rig::process::Signal::HUP).unwrap();
    };
    reload(&mut world, &format!("\"{THING}/marker\", "));
    rig::wait::until(SOON, "it is suspended", || listed(&world.gateway, "suspended") == true).unwrap();
    world.gateway.wait_for("messages.suspended", |suspended| suspended == 1);
    world.gateway.wait_for_log("worker");
    let mut marker = Subscription::open(&world.gateway, &format!("{THING}/marker"));
    super::subscribed(&world, "/marker");
    dashboard.publish(&format!("{jobs}/a"), "meanwhile", &[]);
    dashboard.publish(&format!("{THING}/marker"), "behind it", &[]);
    marker.expect("behind it");
    assert_eq!(listed(&world.gateway, "waiting"), 2, "nothing is kept for it");
    assert_eq!(
        request(&world.gateway, "GET", &format!("/topics/{target}"), "", b"").status,
        403
    );
    // A rule for a part of the filter: the subscription then has only the messages that this part allows.
    reload(&mut world, &format!("\"{jobs}/a\", "));
    rig::wait::until(SOON, "the rule is there", || {
        first_line(&world.gateway, &format!("{jobs}/a")).contains(" 200 ")
    })
    .unwrap();
    assert_eq!(listed(&world.gateway, "suspended"), true);
    let mut part = Subscription::open(&world.gateway, &format!("{jobs}/a?name=worker"));
    assert_eq!(part.payload(), "before a");
    // Acknowledging a later message does not remove those that were withheld.
    dashboard.publish(&format!("{jobs}/a"), "later a", &[]);
    let later = part.next().unwrap();
    assert_eq!(later["payload"], "later a");
    let body = format!("{{\"id\":{}}}", later["id"]);
    let acknowledged = post(&world.gateway, "/subscriptions/worker/ack", "", body.as_bytes());
    assert_eq!(acknowledged.status, 200);
    assert_eq!(listed(&world.gateway, "withheld"), 1);
    drop(part);
    // Everything is allowed again.
    reload(&mut world, "\"#\", ");
    rig::wait::until(SOON, "the rule is back", || {
        first_line(&world.gateway, &target).contains(" 200 ")
    })
    .unwrap();
    let mut program = Subscription::open(&world.gateway, &target);
    assert_eq!(program.payload(), "before b");
    world.gateway.wait_for("messages.suspended", |suspended| suspended == 0);
}

/// Returns the first line of the response to a subscription, and closes the connection.
fn first_line(gateway: &crate::support::Gateway, target: &str) -> String {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = rig::unix_http::connect(&gateway.socket()).unwrap();
    let asked = format!("GET /topics/{target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(asked.as_bytes()).unwrap();
    let mut head = String::new();
    BufReader::new(stream).read_line(&mut head).unwrap();
    head
}
