//! QoS 0 messages, for which AWS's only error is to end the connection.

use super::{configure, post, publish, world, world_behind_a_relay};
use crate::dashboard::Dashboard;
use crate::registry::bring_online_registered;
use crate::support::{SOON, THING, World};

#[test]
fn promise_6_a_topic_that_aws_denies_at_qos_0_is_found_and_refused() {
    let world = world();
    let dashboard = Dashboard::start(&world);
    let allowed = format!("/topics/{THING}/data?qos=0");
    for denied in [
        "/topics/others/data?qos=0".to_owned(),
        format!("/topics/{THING}/state?qos=0&retain=true"),
    ] {
        let refusal = rig::wait::until_some(SOON, "a refusal with the reason", || {
            // Other messages continue meanwhile.
            post(&world.gateway, &allowed, "", b"allowed");
            publish(&world.gateway, &format!("{THING}/data"), "kept");
            let answer = post(&world.gateway, &denied, "", b"x");
            (answer.status == 502).then(|| answer.json().unwrap())
        });
        let refusal = refusal.unwrap();
        assert_eq!(refusal["code"], "refused_by_aws", "{refusal}");
        assert!(
            refusal["message"].as_str().unwrap().contains("not authorized (0x87)"),
            "{refusal}"
        );
        assert!(refusal["hint"].as_str().unwrap().contains("iot:Publish"), "{refusal}");
        let connects = world.gateway.status()["session"]["connects"].clone();
        for _ in 0..20 {
            assert_eq!(post(&world.gateway, &denied, "", b"x").status, 502);
        }
        assert_eq!(post(&world.gateway, &allowed, "", b"still").status, 200);
        assert_eq!(world.gateway.status()["session"]["connects"], connects);
    }
    // The first one costs a connection, the others none: each topic is tested once.
    let status = world.gateway.status();
    assert_eq!(status["session"]["connects"], 2, "{status:#}");
    assert_eq!(status["messages"]["parked"], 0, "{status:#}");
    assert_eq!(
        world
            .gateway
            .log()
            .matches("AWS accepts no messages on others/data")
            .count(),
        1
    );
    dashboard.wait_for(&format!("{THING}/data"), "still");
    world.gateway.wait_for("messages.queued", |queued| queued == 0);
}

#[test]
fn promise_6_a_backlog_does_not_delay_qos_0_messages() {
    let mut world = World::new();
    configure(&mut world);
    world.gateway.config.push_str("[mqtt]\npublish-rate = 4\n");
    bring_online_registered(&mut world);
    let dashboard = Dashboard::start(&world);
    // More than a minute's worth: it is accepted in a fraction of that.
    for number in 0..200 {
        publish(&world.gateway, &format!("{THING}/data"), &number.to_string());
    }
    for number in 0..5 {
        let answer = post(
            &world.gateway,
            &format!("/topics/{THING}/now?qos=0"),
            "",
            number.to_string().as_bytes(),
        );
        assert_eq!(answer.status, 200, "{:?}", answer.json());
    }
    dashboard.wait_for(&format!("{THING}/now"), "4");
    assert_ne!(
        world.gateway.status()["messages"]["queued"],
        0,
        "the backlog is not through yet"
    );
}

#[test]
fn promise_6_qos_0_on_a_silent_connection_takes_no_memory_and_is_not_sent_late() {
    let (world, network) = world_behind_a_relay();
    let dashboard = Dashboard::start(&world);
    network.set_silent(true);
    let target = format!("/topics/{THING}/data?qos=0");
    let mut sent = 0;
    // The amount that fits into the sockets' buffers, and the amount that may wait for them.
    let refusal = rig::wait::until_some(SOON, "a message that is not taken", || {
        let answer = post(
            &world.gateway,
            &target,
            "",
            format!("{sent} {}", "x".repeat(100_000)).as_bytes(),
        );
        sent += 1;
        (answer.status != 200).then_some(answer)
    });
    let refusal = refusal.unwrap();
    assert_eq!(refusal.status, 503, "{:?}", refusal.json());
    assert!(sent < 250, "{sent} messages of 100 kB were taken in");
    network.set_silent(false);
    post(&world.gateway, &format!("/topics/{THING}/after?wait=ack"), "", b"x");
    dashboard.wait_for(&format!("{THING}/after"), "x");
    let late = format!("{} ", sent - 1);
    assert!(
        !dashboard
            .payloads(&format!("{THING}/data"))
            .iter()
            .any(|payload| payload.starts_with(&late))
    );
}
