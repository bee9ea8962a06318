//! Tests that the limits in a server's CONNACK are observed.

use std::time::Duration;

use super::*;

#[test]
fn the_limits_of_connack_are_read() {
    let connack = |body: &[u8]| {
        let mut input = BytesMut::from(&packet(0x20, body)[..]);
        let frame = Framer::new(Sender::Server).next(&mut input)?.unwrap();
        match decode(frame, Sender::Server, ProtocolVersion::V5)? {
            Packet::Connack(connack) => ServerLimits::read(&connack, "gw"),
            other => panic!("{other:?}"),
        }
    };
    let limits = |properties: &[u8]| {
        let length = u8::try_from(properties.len()).unwrap();
        match connack(&[&[0, 0, length], properties].concat()) {
            Ok(Ok(limits)) => limits,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(limits(&[]), ServerLimits::default());
    let all = limits(
        b"\x21\x00\x02\x27\x00\x00\x00\x40\x24\x00\x25\x00\x28\x00\x2a\x00\x13\x00\x1e\x12\x00\x02gw\x22\x00\x08",
    );
    assert_eq!(
        (all.receive_maximum, all.maximum_packet_size, all.maximum_qos),
        (2, 64, Qos::AtMostOnce)
    );
    assert_eq!(all.keep_alive, Some(Duration::from_secs(30)));
    assert!(all.filter_refusal("$share/g/a").is_some() && all.filter_refusal("a/+").is_some());
    assert_eq!(all.filter_refusal("a/b"), None);
    assert_eq!(limits(&[0x13, 0, 0]).keep_alive, None);

    let message = |payload: usize, retain| Message {
        topic: "t".into(),
        payload: vec![0; payload].into(),
        retain,
        ..Message::default()
    };
    let mut output = BytesMut::new();
    let mut client = Client::new(all);
    assert_eq!(
        client.publish(&message(1, false), true, &mut output),
        Err(NotSent::AtMostOnceOnly)
    );
    assert!(matches!(
        client.publish(&message(1, true), false, &mut output),
        Err(NotSent::Never(_))
    ));
    let Err(NotSent::Never(why)) = client.publish(&message(64, false), false, &mut output) else {
        panic!("larger than the broker takes");
    };
    assert_eq!(why, "its packet has 72 bytes, and the broker accepts at most 64 bytes");
    assert!(matches!(
        client.subscribe(&[("x".repeat(64), Qos::AtLeastOnce)], &mut output),
        Err(NotSent::Never(_))
    ));
    assert!(output.is_empty());
    assert_eq!(client.publish(&message(1, false), false, &mut output), Ok(None));
    let mut client = Client::new(ServerLimits {
        maximum_qos: Qos::AtLeastOnce,
        ..all
    });
    for _ in 0..2 {
        assert!(client.publish(&message(1, false), true, &mut output).is_ok());
    }
    assert_eq!(
        client.publish(&message(1, false), true, &mut output),
        Err(NotSent::WindowFull)
    );
    assert!(!client.has_room());

    for (body, statement) in [
        (&b"\x00\x00\x06\x12\x00\x03gw2"[..], "MQTT 5.0, 3.2.2.3.7"),
        (b"\x01\x87\x00", "MQTT-3.2.2-6"),
        (b"\x00\x10\x00", "MQTT-3.2.2-8"),
        (b"\x00\x00\x03\x21\x00\x00", "MQTT 5.0, 2.2.2"),
        (b"\x00\x00\x05\x27\x00\x00\x00\x00", "MQTT 5.0, 2.2.2"),
        (b"\x00\x00\x02\x24\x02", "MQTT 5.0, 2.2.2"),
        (b"\x00\x00\x04\x15\x00\x01x", "MQTT-4.12.0-6"),
        (b"\x00\x00\x03\x23\x00\x01", "MQTT 5.0, 2.2.2.2"),
    ] {
        assert_eq!(connack(body).unwrap_err().statement, statement, "{body:02x?}");
    }
    let Ok(Err(reason)) = connack(b"\x00\x84\x04\x1f\x00\x01w") else {
        panic!("refused");
    };
    assert_eq!(reason.to_string(), "unsupported protocol version (0x84): w");
}
