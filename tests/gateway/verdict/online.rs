//! Gateways that are online, and to which something is amiss all the same.

use std::fs;
use std::time::{Duration, SystemTime};

use cloudlet::switches::Answer;
use rig::fleet_ca::Validity;

use super::{all_say, expected};
use crate::command::{client, run};
use crate::dashboard::Dashboard;
use crate::registry::{bring_online_known, register};
use crate::systemd::managed;
use crate::world::{SOON, THING, options};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn promise_16_certificates_that_end_or_are_anothers_are_told_by_every_output() {
    let mut world = managed();
    let dashboard = Dashboard::start(&world);
    bring_online_known(&mut world);
    let online = expected("ready", 0, None, "online as gw-1; 1 of 1 role aliases valid");
    all_say(&mut world, Some(&dashboard), &online);

    let good = fs::read_to_string(world.gateway.state("device.pem")).unwrap();
    world.gateway.install(&world.ca.for_another_key("/CN=gw-1").unwrap());
    let foreign = expected("attention", 78, Some("certificate-problem"), "is for another key");
    all_say(&mut world, Some(&dashboard), &foreign);
    world.gateway.install(&good);
    all_say(&mut world, Some(&dashboard), &online);

    let csr = world.gateway.state("device.csr");
    let now = SystemTime::now();
    for (left, words) in [(20, "in 19 days"), (5, "in 4 days, and AWS accepts nothing")] {
        let validity = Validity::Between(now - 200 * DAY, now + left * DAY);
        let ending = world.ca.sign_v3_valid(&csr, validity).unwrap();
        register(&world.cloud, &ending, THING, &options().policy);
        world.gateway.install(&ending);
        let ending = expected("attention", 78, Some("certificate-expiring"), words);
        all_say(&mut world, Some(&dashboard), &ending);
        let line = world.gateway.log();
        let told = line
            .lines()
            .filter(|line| line.contains("identity: the certificate ends at") && line.contains(words));
        assert_eq!(told.count(), 1, "once for each step");
    }
    world.gateway.install(&good);
    all_say(&mut world, Some(&dashboard), &online);
}

#[test]
fn promise_16_refused_refreshes_and_lost_connections_are_told_by_every_output() {
    let mut world = managed();
    world.gateway.configure(
        "role-aliases = [\"*\"]",
        "role-aliases = [\"*\"]\npublish = [\"#\"]\nsubscribe = [\"#\"]",
    );
    let dashboard = Dashboard::start(&world);
    bring_online_known(&mut world);
    let (code, _, _) = run(&mut client(&world.gateway, &["publish", "others/data", "x", "--wait"]));
    assert_eq!(code, 65, "AWS does not take it");
    let parked = expected(
        "ready",
        0,
        Some("messages-parked"),
        "online as gw-1; 1 of 1 role aliases valid",
    );
    all_say(&mut world, None, &parked);

    // Three losses within an hour.
    for _ in 0..3 {
        let connects = world.gateway.status()["session"]["connects"].as_u64().unwrap();
        world.cloud.disconnect(THING);
        world
            .gateway
            .wait_longer_for(3 * SOON, "session.connects", |now| now.as_u64() > Some(connects));
    }
    let unstable = expected(
        "waiting",
        69,
        Some("session-unstable"),
        "online as gw-1; 1 of 1 role aliases valid; but the MQTT connection was lost 3 times since",
    );
    all_say(&mut world, Some(&dashboard), &unstable);
    assert!(
        world.gateway.status()["working"] == true,
        "a script that waits for gatepost goes on"
    );

    // A restart begins with the credentials of before, and refreshes them at once.
    world.cloud.switches().set(|switches| {
        switches.credentials.answer = Answer::Status(403, r#"{"message":"Access Denied"}"#.into());
    });
    world.gateway.stop();
    world.gateway.start();
    let refused = expected(
        "attention",
        78,
        Some("role-alias-refresh"),
        "online as gw-1; 1 of 1 role aliases valid; but AWS answered 403",
    );
    all_say(&mut world, Some(&dashboard), &refused);
}
