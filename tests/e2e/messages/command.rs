//! The messages commands of `gatepost`, as people and scripts use them, against the real daemon.

mod outbox;

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use rig::process::{Process, Signal};
use rig::wait;
use serde_json::Value;

use super::{back_online, configure, subscribed, take_offline, world};
use crate::command::{client, contains_all, run};
use crate::dashboard::Dashboard;
use crate::registry::bring_online_registered;
use crate::support::{Gateway, SOON, THING, World};

/// Runs the command with `input` on its stdin.
fn fed(gateway: &Gateway, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = feeding(&mut client(gateway, arguments));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // The command may end before it has read everything.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn feeding(command: &mut Command) -> Child {
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn assert_done(outcome: &(i32, String, String)) {
    assert_eq!(outcome, &(0, String::new(), String::new()));
}

/// Asserts the command's exit code, and its whole output on stderr.
fn assert_refused(outcome: &(i32, String, String), code: i32, words: &[&str]) {
    assert_eq!((outcome.0, outcome.1.as_str()), (code, ""), "{}", outcome.2);
    contains_all(&outcome.2, words);
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn messages_are_published_from_the_argument_from_stdin_and_line_by_line() {
    let mut world = world();
    let dashboard = Dashboard::start(&world);
    let topic = format!("{THING}/data");
    assert_done(&run(&mut client(
        &world.gateway,
        &["publish", "{thing}/data", "an argument"],
    )));
    assert_done(&fed(&world.gateway, &["publish", &topic, "--qos", "0"], "from stdin"));
    dashboard.wait_for(&topic, "from stdin");
    dashboard.wait_for(&topic, "an argument");

    take_offline(&world);
    let lines = numbers(0..1000);
    assert_done(&fed(&world.gateway, &["publish", &topic, "--lines"], &lines.join("\n")));
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_for("messages.queued", |queued| queued == 1000);
    back_online(&world);
    // AWS accepts 100 a second, and a busy machine manages fewer: each step has the usual time.
    for left in (0..10).rev() {
        world.gateway.wait_for("messages.queued", |queued| {
            queued.as_u64().is_some_and(|queued| queued <= left * 100)
        });
    }
    dashboard.wait_for(&topic, "999");
    let seen = dashboard.payloads(&topic);
    let missing: Vec<&String> = lines.iter().filter(|line| !seen.contains(line)).collect();
    assert!(missing.is_empty(), "{missing:?}");

    let answer = fed(&world.gateway, &["publish", "a/#"], "x");
    assert_refused(&answer, 64, &["the topic has a wildcard"]);
    let answer = fed(&world.gateway, &["publish", &topic], &"x".repeat(128 * 1024 + 1));
    assert_refused(&answer, 65, &["more than 131072 bytes"]);
    take_offline(&world);
    let answer = run(&mut client(&world.gateway, &["publish", &topic, "x", "--qos", "0"]));
    assert_refused(&answer, 69, &["at qos=1 it is sent later", "try again in 5 s"]);
}

#[test]
fn promise_5_publishing_lines_ends_at_the_first_refused_line() {
    let mut world = World::new();
    configure(&mut world);
    world.gateway.config.push_str("[mqtt]\noutbox-max-messages = 3\n");
    bring_online_registered(&mut world);
    take_offline(&world);
    let target = format!("{THING}/data");
    let answer = fed(&world.gateway, &["publish", &target, "--lines"], "a\nb\n\nc\nd\ne\n");
    assert_refused(&answer, 73, &["line 5: the outbox is full"]);
    let (_, list, _) = run(&mut client(&world.gateway, &["outbox", "--json"]));
    assert_eq!(list.lines().count(), 3, "{list}");
}

#[test]
fn a_restart_does_not_interrupt_publishing_by_lines() {
    let mut world = world();
    let mut child = feeding(&mut client(
        &world.gateway,
        &["publish", &format!("{THING}/data"), "--lines"],
    ));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"before\n").unwrap();
    world.gateway.wait_for("messages.accepted", |accepted| accepted == 1);
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_for("messages.accepted", |accepted| accepted == 0);
    stdin.write_all(b"after").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    world.gateway.wait_for("messages.accepted", |accepted| accepted == 1);
}

#[test]
fn the_acknowledgement_of_aws_is_waited_for() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let topic = format!("{THING}/data");
    let wait = |topic: &str, payload: &str, more: &[&str]| {
        let arguments = [&["publish", topic, payload, "--wait"], more].concat();
        run(&mut client(&world.gateway, &arguments))
    };
    assert_done(&wait(&topic, "taken", &[]));
    world
        .gateway
        .wait_for("messages.acknowledged", |acknowledged| *acknowledged == 1);
    assert_refused(
        &wait("others/data", "x", &[]),
        65,
        &["not authorized (0x87)", "gatepost outbox show"],
    );
    take_offline(&world);
    let answer = wait(&topic, "later", &["--timeout", "1"]);
    assert_refused(
        &answer,
        75,
        &[
            "has not acknowledged the message within 1 s",
            "it is kept and will be sent",
        ],
    );
    back_online(&world);
    dashboard.wait_for(&topic, "later");
    assert_eq!(dashboard.payloads(&topic), ["taken", "later"]);
}

#[test]
fn a_subscription_prints_messages_up_to_the_requested_number() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let mut program = subscribing(&world.gateway, &["{thing}/cmd/+", "--count", "2"]);
    subscribed(&world, &format!("{THING}/cmd/+"));
    for payload in ["one", "two", "three"] {
        dashboard.publish(&format!("{THING}/cmd/a"), payload, &[]);
    }
    assert!(program.wait(SOON).unwrap().success(), "{}", program.log());
    assert_eq!(payloads(&program), ["one", "two"]);

    // AWS's policy does not allow the first one; no rule can grant AWS's own topics of other things.
    let answer = run(&mut client(&world.gateway, &["subscribe", "others/#"]));
    assert_refused(&answer, 77, &["others/#"]);
    let answer = run(&mut client(
        &world.gateway,
        &["subscribe", "$aws/things/another/shadow/#"],
    ));
    assert_refused(&answer, 77, &["no [[access]] rule grants", "no rule can grant it"]);
}

#[test]
fn promise_5_a_durable_subscription_prints_missed_messages_after_a_crash() {
    let mut world = world();
    let dashboard = Dashboard::start(&world);
    let durable = ["{thing}/jobs", "--name", "worker"];
    let topic = format!("{THING}/jobs");
    let mut first = subscribing(&world.gateway, &durable);
    subscribed(&world, &topic);
    for payload in numbers(0..3) {
        dashboard.publish(&topic, &payload, &[]);
    }
    first
        .wait_for_line(SOON, |line| line.contains("\"payload\":\"2\""))
        .unwrap();
    first.signal(Signal::KILL).unwrap();
    first.wait(SOON).unwrap();
    for payload in numbers(3..6) {
        dashboard.publish(&topic, &payload, &[]);
    }
    world.gateway.wait_for("session.phase", |phase| phase == "connected");
    wait::until(SOON, "three more wait", || waiting(&world.gateway) >= 3).unwrap();
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_online();
    let mut second = subscribing(&world.gateway, &durable);
    second
        .wait_for_line(SOON, |line| line.contains("\"payload\":\"5\""))
        .unwrap();
    wait::until(SOON, "everything printed is acknowledged", || {
        waiting(&world.gateway) == 0
    })
    .unwrap();
    assert_eq!(payloads(&first), ["0", "1", "2"]);
    let mut again = payloads(&second);
    // The message that AWS had no acknowledgement for when the daemon was killed arrives once more.
    again.dedup();
    assert!(again.ends_with(&numbers(3..6)), "{again:?}");

    // A second reader replaces it, and is notified when the subscription is deleted.
    let mut third = subscribing(&world.gateway, &[&durable[..], &["--no-ack"]].concat());
    assert_eq!(second.wait(SOON).unwrap().code(), Some(69));
    contains_all(
        &second.log(),
        &["another reader has taken over this durable subscription"],
    );
    dashboard.publish(&topic, "kept", &[]);
    let line = third.wait_for_line(SOON, |line| line.contains("\"kept\"")).unwrap();
    assert_eq!(waiting(&world.gateway), 1, "nobody has acknowledged it");
    let id = serde_json::from_str::<Value>(&line).unwrap()["id"].to_string();
    assert_done(&run(&mut client(
        &world.gateway,
        &["subscriptions", "ack", "worker", &id],
    )));
    let (code, table, _) = run(&mut client(&world.gateway, &["subscriptions"]));
    assert_eq!(code, 0);
    contains_all(&table, &["NAME WAITING SIZE", "worker 0 0 B 0 1 active uid", &topic]);
    assert_done(&run(&mut client(
        &world.gateway,
        &["subscriptions", "delete", "worker"],
    )));
    assert_eq!(third.wait(SOON).unwrap().code(), Some(66));
    let answer = run(&mut client(&world.gateway, &["subscriptions", "delete", "worker"]));
    assert_refused(&answer, 66, &["there is no durable subscription of this name"]);
}

/// Starts `gatepost subscribe`.
fn subscribing(gateway: &Gateway, arguments: &[&str]) -> Process {
    Process::spawn(&mut client(gateway, &[&["subscribe"], arguments].concat()), "gatepost").unwrap()
}

/// Returns the payloads that it has printed.
fn payloads(program: &Process) -> Vec<String> {
    let log = program.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|line| line["payload"].as_str().unwrap().to_owned()).collect()
}

/// Returns the number of messages that wait for the only durable subscription.
fn waiting(gateway: &Gateway) -> u64 {
    let (_, list, _) = run(&mut client(gateway, &["subscriptions", "--json"]));
    let list: Value = serde_json::from_str(list.trim()).unwrap_or_default();
    list["waiting"].as_u64().unwrap_or(0)
}
