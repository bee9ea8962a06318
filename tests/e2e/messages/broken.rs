//! A database that is broken, foreign, or missing is reported.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;

use super::{Subscription, publish, subscribed, take_offline, world};
use crate::cloud_view::{mark, session_present};
use crate::dashboard::Dashboard;
use crate::support::{Gateway, THING, World};

const FILES: [&str; 3] = ["messages.db", "messages.db-wal", "messages.db-reserve"];

/// Something that happens to the database in use.
type Case = (&'static str, fn(&Gateway));

const CASES: [Case; 2] = [
    ("removed", |gateway| {
        for name in FILES {
            fs::remove_file(gateway.state(name)).unwrap();
        }
    }),
    ("replaced", |gateway| {
        fs::write(gateway.state("another"), "another").unwrap();
        fs::rename(gateway.state("another"), gateway.state("messages.db")).unwrap();
    }),
];

fn payloads(gateway: &Gateway) -> Vec<String> {
    let list = gateway.get("/v1/outbox/queued").json().unwrap();
    let ids = list["messages"].as_array().unwrap().iter().map(|one| one["id"].clone());
    let payload = |id: Value| gateway.get(&format!("/v1/outbox/{id}")).json().unwrap()["payload"].clone();
    ids.map(payload)
        .map(|payload| payload.as_str().unwrap().to_owned())
        .collect()
}

fn accept(world: &World, payload: &str) -> i64 {
    let answer = super::post(&world.gateway, &format!("/topics/{THING}/data"), "", payload.as_bytes());
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.json().unwrap()["id"].as_i64().unwrap()
}

#[test]
fn promise_5_a_database_that_is_removed_or_replaced_in_use_is_rewritten() {
    let mut world = world();
    take_offline(&world);
    let mut all = Vec::new();
    for (what, happens) in CASES {
        all.extend(["before", "after"].map(|when| format!("{what}: {when}")));
        let [.., before, after] = &all[..] else { unreachable!() };
        publish(&world.gateway, &format!("{THING}/data"), before);
        happens(&world.gateway);
        publish(&world.gateway, &format!("{THING}/data"), after);
        world
            .gateway
            .wait_for_log("was removed or replaced while it was in use");
        world.gateway.kill();
        world.gateway.start();
        world.gateway.wait_for_text("messages.phase", "ready");
        assert_eq!(payloads(&world.gateway), all, "{what}");
    }
}

#[test]
fn promise_8_the_losses_of_a_corrupt_database_are_reported_and_discarded_at_aws() {
    let mut world = world();
    let dashboard = Dashboard::start(&world);
    drop(Subscription::open(
        &world.gateway,
        &format!("{THING}/jobs/%23?name=worker"),
    ));
    subscribed(&world, &format!("{THING}/jobs/#"));
    let mut before = 0;
    for number in 0..5 {
        dashboard.publish(&format!("{THING}/jobs/a"), &number.to_string(), &[]);
        before = accept(&world, &number.to_string());
    }
    world.gateway.wait_for("messages.queued", |queued| queued == 0);
    world.gateway.stop();
    fs::write(world.gateway.state("messages.db"), vec![0x55; 8192]).unwrap();
    let connects = mark(&world.cloud);
    world.gateway.start();
    world.gateway.wait_for_log("its durable subscriptions are lost");
    // Filters that the gateway no longer knows bring messages that no program gets.
    assert!(
        !session_present(&world.cloud, connects),
        "AWS still has the old filters"
    );
    // Message numbers that somebody has noted now mean something else.
    assert!(accept(&world, "new") > before);
    let mut program = Subscription::open(&world.gateway, &format!("{THING}/jobs/%23?name=worker"));
    subscribed(&world, &format!("{THING}/jobs/#"));
    dashboard.publish(&format!("{THING}/jobs/a"), "new", &[]);
    assert!(program.next().unwrap()["id"].as_i64().unwrap() > 5);
    // Reported only once, because it is known from now on.
    let connects = mark(&world.cloud);
    world.gateway.stop();
    world.gateway.start();
    assert!(session_present(&world.cloud, connects));
}

#[test]
fn promise_8_a_foreign_database_is_set_aside() {
    let mut world = world();
    world.gateway.stop();
    let path = world.gateway.state("messages.db");
    for (what, sql) in [
        (
            "another program's",
            "CREATE TABLE outbox (a INTEGER); CREATE TABLE fact (b INTEGER)",
        ),
        ("another version's", "PRAGMA user_version = -1"),
        ("half of it", "PRAGMA user_version = 1; CREATE TABLE outbox (a INTEGER)"),
    ] {
        for name in FILES {
            let _ = fs::remove_file(world.gateway.state(name));
        }
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        world.gateway.start();
        world.gateway.wait_for_text("messages.phase", "ready");
        // Topics are below the thing name, which is in the new certificate.
        world.gateway.wait_for_text("identity.phase", "ready");
        publish(&world.gateway, &format!("{THING}/data"), what);
        assert!(world.gateway.status()["messages"]["set_aside"].is_string(), "{what}");
        world.gateway.stop();
    }
    assert!(!world.gateway.log().contains("CREATE TABLE"), "{}", world.gateway.log());
}
