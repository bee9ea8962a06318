//! `gatepost outbox`.

use cloudlet::Policy;
use serde_json::{Value, json};

use super::super::{back_online, publish, take_offline, world};
use crate::command::{client, contains_all, run};
use crate::dashboard::Dashboard;
use crate::registry::{attach, bring_online_registered};
use crate::support::{THING, World};

use super::{assert_done, assert_refused, fed, numbers};

#[test]
fn the_outbox_is_listed_purged_and_retried() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let outbox = |arguments: &[&str]| run(&mut client(&world.gateway, &[&["outbox"], arguments].concat()));
    for payload in ["one", "two", "three"] {
        publish(&world.gateway, "others/data", payload);
    }
    world.gateway.wait_for("messages.parked", |parked| parked == 3);
    let (code, table, _) = outbox(&["list", "--parked"]);
    assert_eq!((code, table.lines().count()), (0, 4), "{table}");
    contains_all(
        &table,
        &[
            "ID STATE ACCEPTED BYTES",
            "1 parked",
            "3 others/data",
            "not authorized (0x87)",
        ],
    );
    let (_, lines, _) = outbox(&["list", "--parked", "--json"]);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let id = first["id"].to_string();
    let (code, screen, _) = outbox(&["show", &id]);
    assert_eq!(code, 0);
    contains_all(&screen, &["topic others/data", "reason", "payload one"]);
    let (code, screen, _) = run(&mut client(&world.gateway, &["status"]));
    assert_eq!(code, 0);
    contains_all(
        &screen,
        &[
            "Messages ready",
            "none queued, 3 parked (see: gatepost outbox list --parked)",
        ],
    );

    assert_eq!(
        outbox(&["purge", &id]),
        (0, "1 message deleted\n".to_owned(), String::new())
    );
    assert_refused(&outbox(&["show", &id]), 66, &["no message has the number", &id]);
    assert_refused(&outbox(&["purge", &id]), 66, &["no message has the number"]);
    assert_refused(&outbox(&["purge", "everything"]), 64, &["is not a message's number"]);
    let allowed = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:Publish", "Resource": "*" },
    ]});
    let policy = Policy::new("more", &allowed.to_string()).unwrap();
    attach(&world.cloud, &world.certificate_id(), &policy);
    let retried = outbox(&["retry", "parked"]);
    assert_eq!(retried, (0, "2 messages to be sent again\n".to_owned(), String::new()));
    world
        .gateway
        .wait_for("messages.acknowledged", |acknowledged| acknowledged == 2);

    take_offline(&world);
    let lines = numbers(0..1200).join("\n");
    assert_done(&fed(
        &world.gateway,
        &["publish", &format!("{THING}/data"), "--lines"],
        &lines,
    ));
    let (code, list, _) = outbox(&["list"]);
    assert_eq!((code, list.lines().count()), (0, 1201), "{list}");
    // More than are deleted in one step.
    let purged = outbox(&["purge", "queued"]);
    assert_eq!(purged, (0, "1200 messages deleted\n".to_owned(), String::new()));
    assert_eq!(outbox(&["list", "--json"]), (0, String::new(), String::new()));
    publish(&world.gateway, &format!("{THING}/data"), "after");
    back_online(&world);
    dashboard.wait_for(&format!("{THING}/data"), "after");
    assert_eq!(dashboard.payloads(&format!("{THING}/data")), ["after"]);
}

#[test]
fn promise_7_messages_and_outbox_need_a_rule() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    for (arguments, words) in [
        (&["publish", "{thing}/data", "x"][..], "publish = [\"{thing}/data\"]"),
        (&["subscribe", "{thing}/data"], "subscribe = [\"{thing}/data\"]"),
        (&["outbox"], "may not read the outbox"),
        (&["outbox", "purge", "queued"], "may not read the outbox"),
    ] {
        assert_refused(&run(&mut client(&world.gateway, arguments)), 77, &[words]);
    }
}
