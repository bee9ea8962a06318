//! Programs that send what is far too large or too much, or nothing at all, each of which costs itself its request or its connection.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use super::packets::{Client, Connect, V3_1_1, V5, frame, text};
use super::{SECRET, socket, world};
use crate::dashboard::Dashboard;
use crate::messages::subscribed;
use crate::support::THING;

/// The longest text that the protocol can express.
const LONGEST: usize = 65_535;

#[test]
fn texts_of_64_kib_are_refused_with_the_code_of_their_place() {
    let (world, address) = world();
    let long = "x".repeat(LONGEST);
    for (version, client_id, will_topic, closed) in [(V5, 0x85, Some(0x90), false), (V3_1_1, 2, None, true)] {
        let mut connect = Connect::new(&long);
        connect.password = Some(SECRET.into());
        assert_eq!(Client::on_address(address, version).connect(&connect)[1], client_id);
        let mut connect = Connect::new("will");
        connect.will = Some((long.clone(), b"off".to_vec(), 0));
        let mut client = Client::on_socket(&world.gateway, version);
        client.send(0x10, &connect.encode(version));
        // No return code of MQTT 3.1.1 says that, so the connection is closed without CONNACK (MQTT-3.2.2-6).
        assert_eq!(client.receive().map(|connack| connack.body[1]), will_topic);
        let mut connect = Connect::new("password");
        connect.password = Some(long.clone().into_bytes());
        let refused = Client::on_address(address, version).connect(&connect)[1];
        assert_eq!(refused, if closed { 4 } else { 0x86 });
        // A topic, at both qualities of service, and a filter.
        let mut client = Client::connected(&world.gateway, version, "topics");
        client.publish(&long, Some(7), b"x");
        match closed {
            true => assert_eq!(client.receive(), None),
            false => assert_eq!(client.puback(7), 0x90),
        }
        let mut client = Client::connected(&world.gateway, version, "qos-0");
        client.publish(&long, None, b"x");
        let refused = client.subscribe(1, &[(&long, 1)]);
        assert_eq!(refused, [if closed { 0x80 } else { 0x8f }]);
    }
}

#[test]
fn a_will_of_64_kib_is_published_and_a_larger_connect_is_refused() {
    let (world, _) = world();
    let dashboard = Dashboard::start(&world);
    for (version, name) in [(V5, "five"), (V3_1_1, "three")] {
        let topic = format!("{THING}/will/{name}");
        let mut client = Client::on_socket(&world.gateway, version);
        let mut connect = Connect::new(name);
        let payload = vec![b'w'; LONGEST];
        connect.will = Some((topic.clone(), payload.clone(), 0));
        assert_eq!(client.connect(&connect)[1], 0);
        // It ends without DISCONNECT.
        drop(client);
        dashboard.wait_for(&topic, std::str::from_utf8(&payload).unwrap());
    }
    // The protocol has no longer will; with properties of 64 KiB its CONNECT has 128 KiB.
    let property = [&[0x26][..], &text("n"), &text(&"v".repeat(LONGEST - 8))].concat();
    let mut body = [text("MQTT"), vec![V5, 0x06, 0, 60, 0], text("large")].concat();
    body.extend_from_slice(&variable(property.len()));
    body.extend_from_slice(&property);
    body.extend_from_slice(&text("t"));
    body.extend_from_slice(&text(&"w".repeat(LONGEST)));
    let mut client = Client::on_socket(&world.gateway, V5);
    client.send(0x10, &body);
    let connack = client.receive().unwrap();
    assert_eq!(
        (connack.first, connack.body[1]),
        (0x20, 0x97),
        "its properties are too large"
    );
    // Beyond the largest packet nothing is read at all.
    let mut client = Client::on_socket(&world.gateway, V5);
    client.send_raw(&[0x10, 0x80, 0x80, 0x0a]);
    assert_eq!(client.rest(), b"");
}

/// A length as the protocol has it.
fn variable(length: usize) -> Vec<u8> {
    let whole = frame(0, &vec![0; length]);
    whole[1..whole.len() - length].to_vec()
}

#[test]
fn ten_thousand_user_properties_are_refused_and_the_connection_goes_on() {
    let (world, _) = world();
    let mut client = Client::connected(&world.gateway, V5, "properties");
    let properties = [0x26, 0, 0, 0, 0].repeat(10_000);
    let message = |packet_id: u16| {
        let mut body = text("{thing}/a");
        body.extend(packet_id.to_be_bytes());
        body.extend(variable(properties.len()));
        body.extend_from_slice(&properties);
        body
    };
    client.send(0x32, &message(1));
    assert_eq!(client.puback(1), 0x97);
    // SUBSCRIBE and UNSUBSCRIBE may have them too: they mean nothing there.
    let mut subscribe = vec![0, 2];
    subscribe.extend(variable(properties.len()));
    subscribe.extend_from_slice(&properties);
    subscribe.extend(text("{thing}/a"));
    let unsubscribe = subscribe.clone();
    subscribe.push(1);
    client.send(0x82, &subscribe);
    let suback = client.receive().unwrap();
    assert_eq!((suback.first, suback.body.last()), (0x90, Some(&1)));
    client.send(0xa2, &unsubscribe);
    assert_eq!(client.receive().map(|packet| packet.first), Some(0xb0));
    client.publish("{thing}/a", Some(3), b"good");
    assert_eq!(client.puback(3), 0);
}

#[test]
fn a_packet_identifier_that_is_in_use_ends_the_connection_and_one_that_is_free_again_does_not() {
    let (world, _) = world();
    for (version, code) in [(V5, Some(0x82)), (V3_1_1, None)] {
        let properties: &[u8] = if version == V5 { &[0] } else { &[] };
        let subscribe = frame(0x82, &[&[0, 1], properties, &text("{thing}/ids"), &[1]].concat());
        let publish = frame(0x32, &[&text("{thing}/ids"), &[0, 1][..], properties, b"x"].concat());
        // SUBACK waits for AWS, so the packets behind it in the same write meet it.
        for second in [&publish, &subscribe] {
            let mut client = Client::connected(&world.gateway, version, "reuses");
            client.send_raw(&[&subscribe[..], second].concat());
            assert_eq!(client.end(), code, "{version}");
        }
        // A message that is sent again before its PUBACK is the same message.
        let mut client = Client::connected(&world.gateway, version, "repeats");
        let mut again = publish.clone();
        again[0] |= 0x08;
        client.send_raw(&[&publish[..], &again].concat());
        assert_eq!(client.puback(1), 0);
        // After that the packet identifier is free.
        for _ in 0..3 {
            client.send_raw(&publish);
            let mut answer = client.receive().unwrap();
            if answer.first == 0x40 && answer.body[..2] == [0, 1] {
                answer.body.truncate(2);
            }
            assert_eq!((answer.first, answer.body.as_slice()), (0x40, &[0, 1][..]));
        }
        // PUBACK for a message that was never sent changes nothing.
        client.send(0x40, &[0, 9]);
        client.send(0xc0, &[]);
        wait_for_pingresp(&mut client);
    }
}

/// Skips the PUBACK of a repeated message that came too late to be recognised as such.
fn wait_for_pingresp(client: &mut Client) {
    while let Some(packet) = client.receive() {
        if packet.first == 0xd0 {
            return;
        }
    }
    panic!("the connection was closed");
}

#[test]
fn half_a_packet_and_then_silence_ends_by_the_clock() {
    let (world, address) = world();
    // Before CONNECT is whole there are ten seconds, on both listeners; nothing of it is answered.
    let half = &frame(0x10, &Connect::new("half").encode(V5))[..9];
    let mut waiting = Vec::new();
    for sent in [&b""[..], &half[..1], half] {
        for mut client in [Client::on_socket(&world.gateway, V5), Client::on_address(address, V5)] {
            client.send_raw(sent);
            waiting.push(client);
        }
    }
    // Afterwards there is one and a half keep-alive, which bytes of a packet that never ends do not prolong.
    for (version, code) in [(V5, Some(0x8d)), (V3_1_1, None)] {
        let mut client = Client::on_socket(&world.gateway, version);
        let mut connect = Connect::new("half");
        connect.keep_alive = 1;
        assert_eq!(client.connect(&connect)[1], 0);
        client.send_raw(&[0x32, 0x7f, 0, 1]);
        assert_eq!(client.end(), code);
    }
    for mut client in waiting {
        assert_eq!(client.rest(), b"");
    }
}

#[test]
fn clients_that_never_read_are_cut_off_with_bounded_memory_while_others_are_served() {
    let (mut world, _) = world();
    let path = socket(&world.gateway);
    let before = resident(&mut world);
    // Twenty that say nothing meanwhile, which is something else.
    let mut idle: Vec<_> = (0..20)
        .map(|number| Client::connected(&world.gateway, V5, &format!("idle-{number}")))
        .collect();
    let mut good = Client::connected(&world.gateway, V5, "good");
    assert_eq!(good.subscribe(1, &[("{thing}/flood", 0)]), [0]);
    subscribed(&world, &format!("{THING}/flood"));
    // Twenty that send PINGREQ without end and never read an answer.
    let deaf: Vec<_> = (0..20)
        .map(|number| {
            let mut stream = UnixStream::connect(&path).unwrap();
            let connect = Connect::new(&format!("deaf-{number}")).encode(V3_1_1);
            stream.write_all(&frame(0x10, &connect)).unwrap();
            std::thread::spawn(move || {
                let pings = [0xc0, 0].repeat(32 * 1024);
                let mut sent = 0;
                // Writing blocks as soon as nothing is read any more, and fails at the end of the connection.
                while let Ok(bytes) = stream.write(&pings) {
                    sent += bytes;
                }
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
                (sent, rest.len())
            })
        })
        .collect();
    for number in 1..=10 {
        good.publish("{thing}/flood", Some(number), b"x");
        while good.receive().unwrap().first != 0x40 {}
    }
    let during = resident(&mut world);
    assert!(during < before + 32 * 1024, "{before} kB, then {during} kB");
    for thread in deaf {
        let (sent, received) = thread.join().unwrap();
        assert!(sent < 16 * 1024 * 1024 && received < sent, "{sent} bytes were read");
    }
    assert!(world.gateway.log().contains("the client does not read"));
    for client in &mut idle {
        client.send(0xc0, &[]);
        assert_eq!(
            client.receive().map(|packet| packet.first),
            Some(0xd0),
            "an idle client was cut off"
        );
    }
}

/// Resident memory of the daemon in kB.
pub fn resident(world: &mut crate::support::World) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.gateway.process().pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
