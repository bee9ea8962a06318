//! /v1/outbox: refused messages can be listed, shown, deleted and retried. The tests of `gatepost outbox` have the waiting ones.

use cloudlet::Policy;
use serde_json::json;

use super::{post, publish, request, world};
use crate::registry::attach;

#[test]
fn parked_messages_are_listed_shown_retried_and_purged() {
    let world = world();
    for payload in ["one", "two", "three"] {
        publish(&world.gateway, "others/data", payload);
    }
    world.gateway.wait_for("messages.parked", |parked| parked == 3);
    let list = world.gateway.get("/v1/outbox/parked").json().unwrap();
    let first = &list["messages"][0];
    assert_eq!(
        (&first["topic"], &first["state"]),
        (&json!("others/data"), &json!("parked")),
        "{list}"
    );
    assert!(first["reason"].as_str().unwrap().contains("not authorized"), "{list}");
    let id = first["id"].as_i64().unwrap();
    let whole = world.gateway.get(&format!("/v1/outbox/{id}")).json().unwrap();
    assert_eq!(whole["payload"], "one");
    assert_eq!(
        request(&world.gateway, "DELETE", &format!("/v1/outbox/{id}"), "", b"").status,
        200
    );
    assert_eq!(world.gateway.get(&format!("/v1/outbox/{id}")).status, 404);
    let allowed = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:Publish", "Resource": "*" },
    ]});
    attach(
        &world.cloud,
        &world.certificate_id(),
        &Policy::new("more", &allowed.to_string()).unwrap(),
    );
    for (method, wrong) in [
        ("POST", "queued/retry"),
        ("GET", "parked?foo"),
        ("GET", "parked?after=1&foo=2"),
    ] {
        let answer = request(&world.gateway, method, &format!("/v1/outbox/{wrong}"), "", b"");
        assert_eq!(answer.status, 400, "{wrong}: {:?}", answer.json());
    }
    let retried = post(&world.gateway, "/v1/outbox/parked/retry", "", b"").json().unwrap();
    assert_eq!(retried["messages"], 2);
    world
        .gateway
        .wait_for("messages.acknowledged", |acknowledged| acknowledged == 2);
    assert_eq!(world.gateway.status()["messages"]["parked"], 0);
}
