//! Whatever a client sends, in chunks of any size, and whatever it is answered, the server writes whole packets and closes at most once.

use proptest::prelude::*;

use super::*;
use crate::messages::Properties;

/// Generates packets that are valid, nearly valid, or arbitrary bytes.
fn client_bytes(version: ProtocolVersion) -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..30);
    let valid: Vec<Vec<u8>> = match version {
        V5 => vec![
            // SUBSCRIBE, UNSUBSCRIBE, PUBLISH that sets a topic alias, PUBLISH at QoS 1 that uses the alias.
            b"\x82\x07\x00\x01\x00\x00\x01a\x01".to_vec(),
            b"\xa2\x06\x00\x02\x00\x00\x01a".to_vec(),
            b"\x30\x07\x00\x01t\x03\x23\x00\x01".to_vec(),
            b"\x32\x08\x00\x00\x00\x05\x03\x23\x00\x01".to_vec(),
        ],
        V3 => vec![
            // SUBSCRIBE, UNSUBSCRIBE.
            b"\x82\x06\x00\x01\x00\x01a\x01".to_vec(),
            b"\xa2\x05\x00\x02\x00\x01a".to_vec(),
        ],
    };
    // PINGREQ, PUBACK, DISCONNECT.
    let shared = vec![b"\xc0\x00".to_vec(), b"\x40\x02\x00\x01".to_vec(), b"\xe0\x00".to_vec()];
    // The flags of PUBLISH: QoS 0, retained, QoS 1, and QoS 1 sent again.
    prop_oneof![
        6 => prop::sample::select([valid, shared].concat()),
        6 => (prop::sample::select(vec![0, 1, 2, 10]), 1..5_u16).prop_map(move |(flags, id)| publish(version, flags, id)),
        1 => (any::<u8>(), body.clone()).prop_map(|(first, body)| packet(first, &body)),
        1 => body,
    ]
}

/// The greatest number of unacknowledged messages: the limit of 100, and the two that are in flight when the connection is accepted.
const MAX_IN_FLIGHT: usize = 102;
/// More than the largest delivery of a step, with its header.
const MAX_DELIVERY: usize = 75_000;

#[derive(Clone, Debug)]
enum Step {
    Bytes(Vec<u8>),
    Puback(u16, u8),
    Suback(u16, u8),
    Unsuback(u16),
    Deliver(Qos, usize),
    Redeliver(u16),
    /// The clock advances by this number of seconds.
    AdvanceTime(u64),
    /// The output is written to the socket.
    FlushOutput,
}

fn step(version: ProtocolVersion) -> impl Strategy<Value = Step> {
    let qos = prop::sample::select(vec![Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce]);
    prop_oneof![
        6 => client_bytes(version).prop_map(Step::Bytes),
        2 => (1..5_u16, any::<u8>()).prop_map(|(id, code)| Step::Puback(id, code)),
        1 => (1..3_u16, any::<u8>()).prop_map(|(id, code)| Step::Suback(id, code)),
        1 => (1..3_u16).prop_map(Step::Unsuback),
        2 => (qos, 0..70_000_usize).prop_map(|(qos, size)| Step::Deliver(qos, size)),
        1 => (0..9_u16).prop_map(Step::Redeliver),
        1 => (0..50_u64).prop_map(Step::AdvanceTime),
        2 => Just(Step::FlushOutput),
    ]
}

fn apply(link: &mut Link, step: &Step) {
    let words = Some("words");
    let server = &mut link.server;
    match step {
        Step::Bytes(bytes) => link.input.extend_from_slice(bytes),
        Step::Puback(id, code) => server.puback(*id, ReasonCode(*code), words),
        Step::Suback(id, code) => server.suback(*id, &[Qos::from_number(*code).ok_or(ReasonCode(*code))], words),
        Step::Unsuback(id) => server.unsuback(*id, &[ReasonCode::SUCCESS]),
        Step::Deliver(qos, size) => {
            let _ = server.deliver(&delivery(*qos, &vec![0; *size]));
        }
        Step::Redeliver(id) => {
            let _ = server.redeliver(*id, &delivery(Qos::AtLeastOnce, b"x"));
        }
        Step::AdvanceTime(seconds) => link.now += Duration::from_secs(*seconds),
        Step::FlushOutput => {}
    }
}

fn delivery(qos: Qos, payload: &[u8]) -> Delivery<'_> {
    static PROPERTIES: std::sync::LazyLock<Properties> = std::sync::LazyLock::new(Properties::default);
    Delivery {
        topic: "t",
        qos,
        retain: false,
        subscription_identifiers: &[],
        properties: &PROPERTIES,
        payload,
    }
}

/// A strict client that reads the server's output: CONNACK comes first and once (MQTT-3.2.0-1, -2), DISCONNECT only after success
/// (MQTT-3.14.0-1), and nothing after it (MQTT-3.14.4-1).
#[derive(Default)]
struct Reader {
    accepted: Option<bool>,
    is_over: bool,
}

impl Reader {
    fn read(&mut self, output: &mut BytesMut, version: ProtocolVersion) -> Result<(), ProtocolError> {
        let mut framer = Framer::new(Sender::Server);
        framer.set_version(version);
        while let Some(frame) = framer.next(output)? {
            assert!(!self.is_over, "a packet after the last one");
            match (decode(frame, Sender::Server, version)?, self.accepted) {
                (Packet::Connack(connack), None) => {
                    self.accepted = Some(connack.code == ReasonCode::SUCCESS);
                    self.is_over = connack.code.is_failure();
                }
                (Packet::Disconnect(_), Some(true)) => self.is_over = true,
                (Packet::Connack(_) | Packet::Disconnect(_), _) | (_, None | Some(false)) => {
                    panic!("a packet before CONNACK, a second CONNACK, or DISCONNECT without a connection")
                }
                _ => {}
            }
        }
        assert!(output.is_empty(), "an incomplete packet");
        Ok(())
    }
}

fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop::sample::select(vec![V3, V5])
}

proptest! {
    #[test]
    fn output_is_whole_packets_and_the_connection_closes_at_most_once(
        (version, steps) in version().prop_flat_map(|version| (Just(version), prop::collection::vec(step(version), 0..80))),
        maximum_packet_size in prop::option::of(8..200_u8),
    ) {
        let connect = match (version, maximum_packet_size) {
            // Property 0x27 is Maximum Packet Size.
            (V5, Some(size)) => connect(5, 0, &[0x27, 0, 0, 0, size], b"\x00\x02gw"),
            (V5, None) => CONNECT_5.to_vec(),
            (V3, _) => connect(4, 0, &[], b"\x00\x02gw"),
        };
        let mut link = Link::new();
        link.receive(&connect);
        let mut reader = Reader::default();
        let acceptance = Acceptance { session_present: true, in_flight: vec![1, 2], ..Acceptance::default() };
        link.server.accept(acceptance, link.now);
        let mut closes = 0;
        for step in &steps {
            apply(&mut link, step);
            while let Some(action) = link.next() {
                closes += usize::from(matches!(action, Action::Close(_)));
                prop_assert!(link.server.in_flight().count() <= MAX_IN_FLIGHT);
            }
            if closes == 0 && link.server.check_time(link.now).is_some() {
                closes += 1;
            }
            prop_assert!(closes <= 1, "one connection ends once");
            let output = link.server.output();
            prop_assert!(output.len() <= MAX_OUTPUT + MAX_DELIVERY, "{} bytes wait", output.len());
            if matches!(step, Step::FlushOutput) || closes > 0 {
                prop_assert_eq!(reader.read(&mut output.split(), version), Ok(()));
            }
        }
    }

    #[test]
    fn the_size_of_chunks_changes_neither_actions_nor_output(
        (version, packets) in version().prop_flat_map(|version| (Just(version), prop::collection::vec(client_bytes(version), 0..12))),
        size in 1..9_usize,
    ) {
        let bytes = packets.concat();
        let read = |size: usize| {
            let mut link = Link::connected(version);
            let mut actions = Vec::new();
            for chunk in bytes.chunks(size.max(1)) {
                link.input.extend_from_slice(chunk);
                actions.extend(std::iter::from_fn(|| link.next()));
            }
            (actions, link.sent())
        };
        prop_assert_eq!(read(size), read(bytes.len()));
    }

    #[test]
    fn any_first_bytes_are_refused_or_a_connect(bytes in prop::collection::vec(prop_oneof![0..6_u8, any::<u8>()], 0..60), framed in any::<bool>()) {
        let bytes = if framed { packet(0x10, &[&b"\x00\x04MQTT\x05"[..], &bytes].concat()) } else { bytes };
        let mut link = Link::new();
        match link.receive(&bytes) {
            Some(Action::Close(close)) => prop_assert!(matches!(close.cause, CloseCause::Protocol(_)) && close.will.is_none()),
            Some(Action::Connect(_)) | None => {}
            other => prop_assert!(false, "{other:?}"),
        }
        let mut output = link.server.output().split();
        // CONNACK of MQTT 3.1.1 has four bytes, and that of MQTT 5 has more.
        let version = if output.len() == 4 { V3 } else { V5 };
        prop_assert_eq!(Reader::default().read(&mut output, version), Ok(()));
    }
}
