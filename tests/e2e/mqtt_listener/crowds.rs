//! Very many connections, subscriptions and messages: they are bounded, what is beyond is refused with its code, and others are served.

use std::fs;
use std::time::{Duration, Instant};

use rig::command;
use rig::process::Process;

use super::hostile::resident;
use super::packets::{Client, Connect, V3_1_1, V5, text};
use super::{SECRET, world};
use crate::dashboard::Dashboard;
use crate::messages::subscribed;
use crate::metrics::metrics;
use crate::support::{SOON, THING};

/// The most connections of one user.
const CONNECTIONS: usize = 512;

#[test]
fn of_ten_thousand_connections_of_a_user_512_are_served_and_the_others_have_the_code() {
    let (mut world, address) = world();
    let before = resident(&mut world);
    let (mut served, mut refused, mut closed) = (Vec::new(), 0, 0);
    for batch in 0..40 {
        // All of a batch are open before any is answered.
        let waiting: Vec<_> = (0..250)
            .map(|number| {
                let version = if number % 2 == 0 { V5 } else { V3_1_1 };
                let mut client = Client::on_socket(&world.gateway, version);
                let mut connect = Connect::new(&format!("crowd-{batch}-{number}"));
                // Without a keep-alive, so that those that are served stay.
                connect.keep_alive = 0;
                client.send(0x10, &connect.encode(version));
                client
            })
            .collect();
        for mut client in waiting {
            match client.receive().map(|connack| connack.body[1]) {
                Some(0) => served.push(client),
                Some(0x97 | 0x03) => refused += 1,
                None => closed += 1,
                Some(code) => panic!("{code:#x}"),
            }
        }
    }
    assert_eq!(served.len(), CONNECTIONS, "{refused} were refused, {closed} closed");
    // Where very many come at once, not each of them gets an answer.
    assert!(
        refused > 32 && refused + closed == 10_000 - CONNECTIONS,
        "{refused}, {closed}"
    );
    // Another user still connects, and each of those that are served is.
    let mut connect = Connect::new("by-password");
    connect.password = Some(SECRET.into());
    assert_eq!(Client::on_address(address, V5).connect(&connect)[1], 0);
    for client in &mut served {
        client.send(0xc0, &[]);
        assert_eq!(client.receive().map(|packet| packet.first), Some(0xd0));
    }
    let after = resident(&mut world);
    assert!(after < before + 48 * 1024, "{before} kB, then {after} kB");
    eprintln!("{before} kB, and {after} kB with {CONNECTIONS} connections");
    // A place that is free again is had again.
    served.pop();
    rig::wait::until(SOON, "a place", || {
        let mut client = Client::on_socket(&world.gateway, V5);
        client.connect(&Connect::new("next"))[1] == 0
    })
    .unwrap();
}

#[test]
fn very_many_subscriptions_are_refused_with_the_code_and_nobody_waits() {
    request_subscriptions(10);
}

#[test]
#[ignore = "takes minutes: a filter costs as much as a packet, and a user may send 10,000 a second"]
fn a_million_subscriptions_are_refused_with_the_code_and_nobody_waits() {
    request_subscriptions(100);
}

/// Ten clients request 1,000 subscriptions each in every round. Those that AWS takes are granted, and memory does not grow with the others.
fn request_subscriptions(rounds: u16) {
    let (mut world, _) = world();
    let before = resident(&mut world);
    let started = Instant::now();
    let mut other = Client::connected(&world.gateway, V5, "other");
    let mut clients: Vec<_> = (0..10)
        .map(|number| Client::connected(&world.gateway, V5, &format!("greedy-{number}")))
        .collect();
    let (mut granted, mut refused, mut number) = (0, 0, 0);
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds {
        for client in &mut clients {
            let mut body = [&round.to_be_bytes()[..], &[0]].concat();
            for _ in 0..1000 {
                number += 1;
                body.extend(text(&format!("{{thing}}/s/{number}")));
                body.push(1);
            }
            client.send(0x82, &body);
        }
        let asked = Instant::now();
        other.send(0xc0, &[]);
        assert_eq!(other.receive().map(|packet| packet.first), Some(0xd0));
        slowest = slowest.max(asked.elapsed());
        for client in &mut clients {
            let suback = client.receive().unwrap();
            assert_eq!((suback.first, &suback.body[..2]), (0x90, &round.to_be_bytes()[..]));
            for code in &suback.body[suback.body.len() - 1000..] {
                match code {
                    0 | 1 => granted += 1,
                    0x97 => refused += 1,
                    code => panic!("{code:#x}"),
                }
            }
        }
    }
    // AWS takes 50 of a gateway.
    assert_eq!(granted + refused, 10_000 * usize::from(rounds));
    assert!((1..=50).contains(&granted), "{granted}");
    let after = resident(&mut world);
    assert!(after < before + 48 * 1024, "{before} kB, then {after} kB");
    let took = started.elapsed();
    eprintln!(
        "{number} subscriptions in {took:?}, {granted} granted; the slowest answer to another program: {slowest:?}; {before} kB before, {after} kB after"
    );
}

/// Two bridges of one mosquitto that pass everything round in a circle. MQTT has no way to see that, and AWS IoT does not end it
/// either: it must stay slow, small and harmless to others.
#[test]
fn a_bridge_in_a_loop_with_itself_is_bounded_and_others_are_served() {
    let (mut world, address) = world();
    let dashboard = Dashboard::start(&world);
    let folder = tempfile::tempdir().unwrap();
    let port = rig::port::free_pair().unwrap();
    let bridge = |name: &str, topic: &str| {
        format!(
            "connection {name}\naddress {address}\nremote_username any\nremote_password {SECRET}\nremote_clientid {name}\n\
             cleansession true\nnotifications false\nbridge_protocol_version mqttv311\nrestart_timeout 1\ntopic {topic}\n"
        )
    };
    let text = format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n{}{}",
        bridge("inwards", &format!("# in 1 loop/ {THING}/loop/")),
        bridge("outwards", &format!("# out 1 loop/ {THING}/loop/")),
    );
    let file = folder.path().join("mosquitto.conf");
    fs::write(&file, text).unwrap();
    let mut mosquitto = command::command("mosquitto");
    mosquitto.arg("-c").arg(&file);
    let _mosquitto = Process::spawn(&mut mosquitto, "mosquitto").unwrap();
    subscribed(&world, &format!("{THING}/loop/#"));
    let before = resident(&mut world);
    for number in 0..20 {
        dashboard.publish(&format!("{THING}/loop/a"), &number.to_string(), &[]);
    }
    // It goes round: many more than were published have come back.
    rig::wait::until(SOON, "the circle", || {
        dashboard.payloads(&format!("{THING}/loop/a")).len() > 100
    })
    .unwrap();
    let mut good = Client::connected(&world.gateway, V5, "good");
    for number in 1..=20 {
        good.publish("{thing}/other", Some(number), b"x");
        assert_eq!(good.puback(number), 0);
    }
    dashboard.wait_for(&format!("{THING}/other"), "x");
    // What goes round does not become more: each message is one at any time, on the disk or under way.
    let page = metrics(&world.gateway);
    let queued = page
        .lines()
        .find_map(|line| line.strip_prefix("gatepost_outbox_messages "));
    let queued: usize = queued.unwrap_or_else(|| panic!("{page}")).parse().unwrap();
    assert!(queued <= 100, "{queued}");
    let after = resident(&mut world);
    assert!(after < before + 32 * 1024, "{before} kB, then {after} kB");
}
