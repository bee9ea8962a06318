//! The session outlives connections, daemons and brokers.

use cloudlet::Event;
use rig::process::Signal;

use crate::cloud_view::{end_of_connection, mark, session_present};
use crate::registry::bring_online_registered;
use crate::support::{Gateway, SOON, THING, World};

/// An event that ends a connection, and whether the session is present afterwards.
type Case = (&'static str, fn(&mut World), bool);

const CASES: &[Case] = &[
    (
        "AWS disconnects",
        |world| assert_eq!(world.cloud.disconnect(THING), 1),
        true,
    ),
    (
        "the daemon is restarted",
        |world| {
            world.gateway.stop();
            world.gateway.start();
        },
        true,
    ),
    (
        "the daemon is killed",
        |world| {
            world.gateway.kill();
            world.gateway.start();
        },
        true,
    ),
    (
        "the broker is killed",
        |world| {
            world.cloud.broker().kill().unwrap();
            world.cloud.broker().start().unwrap();
        },
        true,
    ),
    (
        "the broker loses its database",
        |world| world.cloud.broker().wipe_database().unwrap(),
        false,
    ),
];

#[test]
fn promise_8_the_session_is_resumed_where_aws_has_kept_it() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    assert!(!session_present(&world.cloud, 0));
    assert_eq!(world.gateway.status()["session"]["session_present"], false);
    for (what, happens, resumed) in CASES {
        let before = mark(&world.cloud);
        happens(&mut world);
        assert_eq!(session_present(&world.cloud, before), *resumed, "{what}");
        world.gateway.wait_online();
        assert_eq!(world.gateway.status()["session"]["session_present"], *resumed, "{what}");
    }
    let subscribes =
        |event: &&Event| matches!(event, Event::Decided { decision, .. } if decision.action == "iot:Subscribe");
    assert_eq!(world.cloud.events().iter().filter(subscribes).count(), 0);
}

#[test]
fn the_session_expiry_is_shown_as_granted() {
    let mut world = World::new();
    world.gateway.config.push_str("[mqtt]\nsession-expiry = \"2h\"\n");
    bring_online_registered(&mut world);
    // The account's limit, then another one, then the requested value.
    for (limit, granted) in [(None, 3600), (Some(900), 900), (Some(86_400), 7200)] {
        if let Some(limit) = limit {
            let limit = std::time::Duration::from_secs(limit);
            world
                .cloud
                .switches()
                .set(|switches| switches.session_expiry_limit = limit);
            world.cloud.disconnect(THING);
        }
        world
            .gateway
            .wait_for("session.session_expiry_seconds", |seconds| seconds == granted);
    }
}

#[test]
fn promise_8_attempts_at_an_absent_broker_become_rarer() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    world.cloud.broker().kill().unwrap();
    world.gateway.wait_for_words(
        "session.problem.message",
        "refused the connection: server unavailable (0x88)",
    );
    let mut last = String::new();
    for _ in 0..3 {
        let next = world.gateway.wait_for("session.next_attempt", |next| {
            next.as_str().is_some_and(|next| *next > *last)
        });
        next.as_str().unwrap().clone_into(&mut last);
    }
    assert_eq!(
        world.gateway.status()["state"],
        "waiting",
        "nobody needs to do anything"
    );
    assert_eq!(world.gateway.credentials().status, 200);
    world.cloud.broker().start().unwrap();
    world.gateway.wait_online();
    assert_eq!(
        world.gateway.status()["session"]["next_attempt"],
        serde_json::Value::Null
    );
    assert_eq!(world.gateway.status()["session"]["problem"], serde_json::Value::Null);
}

#[test]
fn promise_8_a_cloned_gateway_is_reported() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    let pem = std::fs::read_to_string(world.gateway.state("device.pem")).unwrap();
    let before = mark(&world.cloud);
    let mut clone = Gateway::new(&world.cloud, &*world.token, &world.ca.ca_pem_path());
    clone.start();
    clone.wait_for_csr();
    clone.install(&pem);
    assert_eq!(end_of_connection(&world.cloud, before), "DUPLICATE_CLIENTID");
    let problem = world.gateway.wait_for("session.problem", |problem| {
        let message = problem["message"].as_str();
        message.is_some_and(|message| message.contains("in use twice"))
    });
    assert_eq!(problem["remedy"], "configuration");
    let step = problem["next_step"].as_str().unwrap();
    assert!(step.contains("find the other device with this common name"), "{step}");
    clone.process().signal(Signal::KILL).unwrap();
    clone.process().wait(SOON).unwrap();
    // Once connected again, the status still says so: the other client may be back at any moment.
    world
        .gateway
        .wait_longer_for(3 * SOON, "session.phase", |phase| phase == "connected");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    let status = world.gateway.status();
    assert_eq!(status["state"], "attention", "{status}");
    let problem = &status["session"]["problem"];
    assert!(
        problem["message"].as_str().unwrap().contains("in use twice"),
        "{problem}"
    );
    let taken_over = &status["session"]["taken_over"];
    assert!(taken_over["times"].as_u64() >= Some(1), "{taken_over}");
    assert!(
        taken_over["since"].as_str() <= taken_over["last"].as_str(),
        "{taken_over}"
    );
    let mut command = std::process::Command::new(world.gateway.client());
    let shown = command
        .arg("--socket")
        .arg(world.gateway.socket())
        .arg("status")
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("taken over "), "{shown}");
}
