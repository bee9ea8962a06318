//! The MQTT front, as devices see it: its events and its limits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use cloudlet::switches::{BadCertificate, DeniedConnect, DeniedSubscribe};
use cloudlet::{Event, Options};
use common::{
    Device, Fleet, PATIENCE, cloudlet_with_fleet, end_of_next_connection, free_for_all, mosquitto, provision, publish,
    text,
};

#[test]
fn lifecycle_events_are_published() {
    let (cloud, _fleet, watcher, device) = free_for_all();
    let mut command = mosquitto(&cloud, "mosquitto_sub", &watcher, "mqttv5");
    let mut child = command
        .args(["-t", "$aws/events/#", "-F", "%t %p", "-W", "60"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = |about: &str| loop {
        let line = lines.next().expect("an event").unwrap();
        let (topic, event) = line.split_once(' ').unwrap();
        if topic.ends_with(about) {
            let event: serde_json::Value = serde_json::from_str(event).unwrap();
            return (topic.trim_start_matches("$aws/events/").to_owned(), event);
        }
    };
    let subscribed = |event: &Event| matches!(event, Event::Connected { client_id, .. } if client_id == "watcher");
    cloud.wait_for(PATIENCE, subscribed).unwrap();
    while next("/watcher").0 != "subscriptions/subscribed/watcher" {}

    assert!(publish(&cloud, &device, "mqttv311", "gw-1/a").status.success());
    let (topic, event) = next("/gw-1");
    assert_eq!(topic, "presence/connected/gw-1");
    assert_eq!(event["principalIdentifier"], device.id().to_string());
    assert_eq!(event["ipAddress"], "127.0.0.1");
    let session = event["sessionIdentifier"].clone();
    let (topic, event) = next("/gw-1");
    assert_eq!(topic, "presence/disconnected/gw-1");
    assert_eq!(event["disconnectReason"], "CLIENT_INITIATED_DISCONNECT");
    assert_eq!(event["clientInitiatedDisconnect"], true);
    assert_eq!(event["sessionIdentifier"], session);

    // The client is disconnected for publishing what no policy can allow; then the broker is killed, and events continue.
    publish(&cloud, &device, "mqttv311", &"x".repeat(257));
    assert_eq!(next("/gw-1").1["versionNumber"], 1);
    assert_eq!(next("/gw-1").1["disconnectReason"], "CLIENT_ERROR");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_connection_that_a_policy_denies_is_answered_as_its_switch_demands() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    for (denied, said) in [
        (DeniedConnect::Close, "connection was lost"),
        (DeniedConnect::Connack, "Connection Refused: not authorised"),
    ] {
        cloud.switches().set(|switches| switches.denied_connect = denied);
        let stranger = Device {
            name: "somebody-else".to_owned(),
            certificate: device.certificate.clone(),
            key: device.key.clone(),
        };
        let output = publish(&cloud, &stranger, "mqttv311", "gw-1/a");
        assert!(text(&output).contains(said), "{denied:?}: {}", text(&output));
    }
}

/// Behaviour of AWS that is not known for certain can be switched.
#[test]
fn open_questions_are_switches() {
    let (cloud, fleet) = cloudlet_with_fleet(Options::quick());
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);

    let foreign = Fleet::new().device_v1_kept();
    for (bad, in_handshake) in [
        (BadCertificate::CloseAfterHandshake, false),
        (BadCertificate::TlsAlert, true),
    ] {
        cloud.switches().set(|switches| switches.bad_certificate = bad);
        let seen = cloud.events().len();
        let output = publish(&cloud, &foreign.1, "mqttv311", "gw-1/a");
        assert!(!output.status.success());
        let rejected = |event: &Event| matches!(event, Event::TlsRefused { .. } | Event::ConnectRefused { .. });
        let event = cloud.wait_for_after(seen, PATIENCE, rejected).unwrap();
        let alert = matches!(event, Event::TlsRefused { .. });
        assert_eq!(alert, in_handshake, "{bad:?}: {event:?}");
    }
    for (denied, granted) in [(DeniedSubscribe::Close, false), (DeniedSubscribe::Suback, true)] {
        cloud.switches().set(|switches| switches.denied_subscribe = denied);
        let seen = cloud.events().len();
        let mut command = mosquitto(&cloud, "mosquitto_sub", &device, "mqttv311");
        let mut child = command
            .args(["-t", "other/#", "-W", "2"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let reason = end_of_next_connection(&cloud, seen);
        assert_eq!(reason.contains("DISCONNECT"), granted, "{denied:?}: {reason}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Clients send no SNI for an address (RFC 6066, section 3), and the article's tools do not check the name.
    for accepted in [false, true] {
        cloud.switches().set(|switches| switches.accept_without_sni = accepted);
        let endpoint = cloud.mqtt_endpoint();
        let (_, port) = endpoint.split_once(':').unwrap();
        let output = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", port, "--insecure", "-i", "gw-1", "-q", "1"])
            .args(["-t", "gw-1/a", "-m", "x", "--cafile"])
            .arg(cloud.root_ca_path())
            .arg("--cert")
            .arg(&device.certificate)
            .arg("--key")
            .arg(&device.key)
            .output()
            .unwrap();
        assert_eq!(output.status.success(), accepted, "{}", text(&output));
    }
}

#[test]
fn limits_are_aws_s() {
    let (cloud, _fleet, _watcher, device) = free_for_all();
    let large = |length: usize| "x".repeat(length);
    let send = |version: &str, topic: &str, payload: &str, more: &[&str]| {
        let mut command = mosquitto(&cloud, "mosquitto_pub", &device, version);
        let mut child = command
            .args(["-s", "-t", topic])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The client may end before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(payload.as_bytes());
        child.wait_with_output().unwrap()
    };
    for (says, topic, length, more, passes) in [
        ("a payload of 128 KiB", "gw-1/a".to_owned(), 128 * 1024, vec![], true),
        ("one byte more", "gw-1/a".to_owned(), 128 * 1024 + 1, vec![], false),
        ("a topic of 256 bytes", large(256), 1, vec![], true),
        ("of 257", large(257), 1, vec![], false),
        ("7 slashes", "1/2/3/4/5/6/7/8".to_owned(), 1, vec![], true),
        ("8 slashes", "1/2/3/4/5/6/7/8/9".to_owned(), 1, vec![], false),
        (
            "Basic Ingest's prefix is not counted",
            format!("$aws/rules/mine/{}", large(256)),
            1,
            vec![],
            true,
        ),
        ("retained", "gw-1/a".to_owned(), 1, vec!["-r"], true),
        (
            "retained on a reserved topic",
            "$aws/rules/mine/a".to_owned(),
            1,
            vec!["-r"],
            false,
        ),
    ] {
        for version in ["mqttv311", "mqttv5"] {
            let seen = cloud.events().len();
            let output = send(version, &topic, &large(length), &more);
            let published = cloud.events().split_off(seen);
            let published = published.iter().any(|event| matches!(event, Event::Published { .. }));
            assert_eq!(published, passes, "{says}, {version}: {}", text(&output));
        }
    }
    for (filters, passes) in [(8, true), (9, false)] {
        let seen = cloud.events().len();
        let mut command = mosquitto(&cloud, "mosquitto_sub", &device, "mqttv5");
        for number in 0..filters {
            command.args(["-t", &format!("gw-1/{number}")]);
        }
        // -E: ends once all subscriptions are made.
        command.args(["-E"]).output().unwrap();
        let reason = end_of_next_connection(&cloud, seen);
        assert_eq!(
            reason.contains("the client said DISCONNECT"),
            passes,
            "{filters} filters: {reason}"
        );
    }
    let lines: String = (0..150).map(|number| format!("{number}\n")).collect();
    let seen = cloud.events().len();
    let mut command = mosquitto(&cloud, "mosquitto_pub", &device, "mqttv5");
    let mut child = command
        .args(["-l", "-t", "gw-1/a"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait().unwrap();
    let since = cloud.events().split_off(seen);
    let count = |wanted: fn(&Event) -> bool| since.iter().filter(|event| wanted(event)).count();
    let published = count(|event| matches!(event, Event::Published { .. }));
    let discarded = count(|event| matches!(event, Event::Discarded { .. }));
    assert!(
        published >= 100 && published + discarded == 150,
        "{published} and {discarded}"
    );
}

/// A malformed packet closes its own connection, and no other.
#[test]
fn a_malformed_packet_closes_its_connection_only() {
    let (cloud, _fleet, watcher, device) = free_for_all();
    let mut command = mosquitto(&cloud, "mosquitto_sub", &watcher, "mqttv5");
    let mut child = command
        .args(["-t", "gw-1/after"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let connected = |event: &Event| matches!(event, Event::Connected { client_id, .. } if client_id == "watcher");
    cloud.wait_for(PATIENCE, connected).unwrap();

    let connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04gw-1";
    let mut random = fastrand::Rng::with_seed(7);
    let garbage = (0..24).map(|_| std::iter::repeat_with(|| random.u8(..)).take(64).collect::<Vec<u8>>());
    for bytes in [vec![0xF0, 0x00], vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF], vec![0x10, 0x00]]
        .into_iter()
        .chain(garbage)
    {
        let seen = cloud.events().len();
        let mut client = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-connect",
                &cloud.mqtt_endpoint(),
                "-servername",
                "localhost",
            ])
            .arg("-CAfile")
            .arg(cloud.root_ca_path())
            .arg("-cert")
            .arg(&device.certificate)
            .arg("-key")
            .arg(&device.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = client.stdin.take().unwrap();
        input.write_all(&[connect.as_slice(), &bytes].concat()).unwrap();
        let received = |event: &Event| matches!(event, Event::ConnectReceived { client_id, .. } if client_id == "gw-1");
        // Random bytes may be the beginning of a packet that never ends.
        match bytes.len() {
            64 => drop(cloud.wait_for_after(seen, PATIENCE, received).unwrap()),
            _ => drop(end_of_next_connection(&cloud, seen)),
        }
        drop(input);
        client.kill().unwrap();
        client.wait().unwrap();
    }
    assert!(publish(&cloud, &device, "mqttv5", "gw-1/after").status.success());
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "hello\n");
    child.kill().unwrap();
    child.wait().unwrap();
}
