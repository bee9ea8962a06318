//! Arbitrary input from a server, and calls in any order.

use proptest::prelude::*;

use super::*;

/// Generates packets that are valid, nearly valid, or arbitrary bytes.
fn server_bytes() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..40);
    prop_oneof![
        4 => (any::<u8>(), body.clone()).prop_map(|(first, body)| packet(first, &body)),
        4 => (0..16_u8, 0..4_u16, body.clone())
            .prop_map(|(flags, id, properties)| publish(flags, &id.to_be_bytes(), &properties, 5)),
        2 => (prop::sample::select(vec![0x40_u8, 0x90, 0xb0]), 0..5_u16, body.clone())
            .prop_map(|(first, id, rest)| packet(first, &[&id.to_be_bytes()[..], &rest].concat())),
        1 => prop::sample::select(vec![packet(0x20, &[0, 0, 0]), packet(0xd0, &[]), packet(0xe0, &[])]),
        1 => body,
    ]
}

proptest! {
    #[test]
    fn whatever_a_server_sends_ends_in_events_or_a_named_protocol_error(packets in prop::collection::vec(server_bytes(), 0..40)) {
        let bytes = packets.concat();
        let (incoming, error) = receive(&bytes);
        // No event without input: the smallest packet has two bytes.
        prop_assert!(incoming.len() <= bytes.len() / 2);
        if let Some(error) = error {
            prop_assert!(error.statement.starts_with("MQTT") && error.code.is_failure());
        }
    }

    #[test]
    fn pieces_of_any_size_are_read_alike(packets in prop::collection::vec(server_bytes(), 0..20), size in 1..7_usize) {
        let bytes = packets.concat();
        let cut = |size: usize| Framer::new(Sender::Server).cut_all(bytes.chunks(size));
        prop_assert_eq!(cut(size), cut(bytes.len().max(1)));
    }

    #[test]
    fn the_client_survives_any_order_of_its_own_calls(calls in prop::collection::vec((0..6_u8, 0..6_u16), 0..200)) {
        let mut client = Client::new(ServerLimits { receive_maximum: 3, ..ServerLimits::default() });
        let mut output = BytesMut::new();
        for (call, id) in calls {
            let message = Message { topic: "t".into(), ..Message::default() };
            let _ = match call {
                0 => client.publish(&message, true, &mut output).is_ok(),
                1 => client.subscribe(&[("a".into(), Qos::AtLeastOnce)], &mut output).is_ok(),
                2 => client.receive(puback(id)).is_ok(),
                3 => client.receive(Packet::Suback(Suback { packet_id: id, codes: vec![ReasonCode::SUCCESS], properties: Vec::new() })).is_ok(),
                4 => {
                    let packet_id = Some(id + 1);
                    client.receive(Packet::Publish(Publish { packet_id, ..Publish::default() })).is_ok()
                }
                _ => { client.acknowledge(id, ReasonCode::SUCCESS, &mut output); true }
            };
            prop_assert!(client.has_room() || client.oldest().is_some());
        }
    }
}
