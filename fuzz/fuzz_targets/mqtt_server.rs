//! The MQTT server against a client that sends anything: raw bytes and whole packets, between the responses of its driver.

#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::{Bytes, BytesMut};
use fuzz::mqtt::{First, Sent};
use gatepost::messages::Properties;
use gatepost::mqtt::packet::Publish;
use gatepost::mqtt::{
    Acceptance, Action, CloseCause, Delivery, Frame, Framer, MAX_OUTPUT, MAX_PACKET, Packet, ProtocolVersion,
    ReasonCode, Sender, Server, ServerOptions, decode, encode,
};
use gatepost::qos::Qos;
use libfuzzer_sys::fuzz_target;
use tokio::time::Instant;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// A packet of any kind: first byte, body, from the client, of MQTT 5.
    packet: (u8, &'a [u8], bool, bool),
    connect: First<'a>,
    accepts: bool,
    resumes: bool,
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Client(Sent<'a>),
    /// Responses of the driver.
    Puback(u8, u8),
    Suback(u8, Vec<u8>),
    Unsuback(u8, Vec<u8>),
    Deliver {
        qos: u8,
        retain: bool,
        identifiers: Vec<u16>,
        payload: u16,
    },
    Redeliver(u8),
    Written,
    Pass(u8),
}

fuzz_target!(|input: Input| {
    check_codec(input.packet);
    let mut connection = Connection::new();
    connection.input.extend_from_slice(&input.connect.bytes());
    if !connection.connect(&input) {
        return;
    }
    for step in input.steps.iter().take(200) {
        connection.take(step);
        if connection.read().is_none() {
            break;
        }
    }
    connection.check_end();
});

/// Checks that each packet that can be decoded is the same after encoding and decoding it again, for both sides and both versions.
fn check_codec((first, body, from_client, is_v5): (u8, &[u8], bool, bool)) {
    let sender = if from_client { Sender::Client } else { Sender::Server };
    let version = if is_v5 {
        ProtocolVersion::V5
    } else {
        ProtocolVersion::V3_1_1
    };
    let body = Bytes::copy_from_slice(body);
    let Ok(packet) = decode(Frame::Packet { first, body }, sender, version) else {
        return;
    };
    let mut bytes = BytesMut::new();
    assert_eq!(encode(&mut bytes, &packet, version), Ok(()), "{packet:?}");
    // The fixed header ends with the first length byte without the continuation bit.
    let length = bytes.iter().skip(1).take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let first = bytes.first().copied().unwrap_or_default();
    let body = bytes.freeze().slice(1 + length..);
    let again = decode(Frame::Packet { first, body }, sender, version);
    match packet {
        Packet::Publish(message) if message.left_out > 0 => {}
        packet => assert_eq!(again, Ok(packet)),
    }
}

struct Connection {
    server: Server,
    version: ProtocolVersion,
    now: Instant,
    input: BytesMut,
    /// Requests that the driver has not answered yet.
    published: BTreeSet<u16>,
    closed: bool,
    /// Whether CONNACK reported success; `None` before CONNACK.
    accepted: Option<bool>,
    /// Whether the server has sent its last packet.
    is_over: bool,
}

impl Connection {
    fn new() -> Self {
        let options = ServerOptions {
            receive_maximum: 5,
            send_maximum: 5,
            ..ServerOptions::default()
        };
        let now = Instant::now();
        Self {
            server: Server::new(options, now),
            version: ProtocolVersion::V5,
            now,
            input: BytesMut::new(),
            published: BTreeSet::new(),
            closed: false,
            accepted: None,
            is_over: false,
        }
    }

    /// Returns whether the client has sent CONNECT and was accepted.
    fn connect(&mut self, input: &Input) -> bool {
        match self.server.next(&mut self.input, self.now) {
            Some(Action::Connect(connect)) => {
                self.version = connect.version;
                assert!(self.server.is_waiting());
                assert_eq!(
                    self.server.next(&mut self.input, self.now),
                    None,
                    "nothing is read before the answer"
                );
                if !input.accepts {
                    self.server.refuse(ReasonCode::NOT_AUTHORIZED, Some("no"));
                    self.written();
                    return false;
                }
                let acceptance = Acceptance {
                    session_present: input.resumes,
                    in_flight: vec![1, 2, 3],
                    ..Acceptance::default()
                };
                self.server.accept(acceptance, self.now);
                self.read().is_some()
            }
            Some(Action::Close(close)) => {
                assert!(close.will.is_none() && close.session_expiry == 0);
                fuzz::assert_readable(&close.cause.to_string());
                false
            }
            Some(action) => panic!("{action:?} before CONNECT"),
            None => false,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Client(sent) => self.input.extend_from_slice(&sent.bytes(self.version)),
            Step::Puback(id, code) => {
                self.published.remove(&u16::from(*id));
                self.server.puback((*id).into(), ReasonCode(*code), Some("why"));
            }
            Step::Suback(id, codes) => {
                let granted: Vec<_> = codes
                    .iter()
                    .map(|code| Qos::from_number(*code).ok_or(ReasonCode(*code)))
                    .collect();
                self.server.suback((*id).into(), &granted, Some("why"));
            }
            Step::Unsuback(id, codes) => {
                let codes: Vec<_> = codes.iter().map(|code| ReasonCode(*code)).collect();
                self.server.unsuback((*id).into(), &codes);
            }
            Step::Deliver {
                qos,
                retain,
                identifiers,
                payload,
            } => self.deliver(*qos, *retain, identifiers, *payload),
            Step::Redeliver(id) => {
                let _ = self
                    .server
                    .redeliver((*id).into(), &delivery(1, false, &[], &Properties::default(), b"x"));
            }
            Step::Written => self.written(),
            Step::Pass(seconds) => self.now += Duration::from_secs((*seconds).into()),
        }
    }

    fn deliver(&mut self, qos: u8, retain: bool, identifiers: &[u16], payload: u16) {
        let before: BTreeSet<u16> = self.server.in_flight().collect();
        let payload = vec![b'x'; payload.into()];
        // Subscription identifiers are never 0.
        let identifiers: Vec<u32> = identifiers.iter().map(|one| u32::from(*one) + 1).collect();
        let outcome = self
            .server
            .deliver(&delivery(qos, retain, &identifiers, &Properties::default(), &payload));
        if let Ok(Some(id)) = outcome {
            assert!(id != 0 && !before.contains(&id), "packet identifier {id} is in use");
        }
    }

    /// Reads bytes. Returns `None` once the connection has ended.
    fn read(&mut self) -> Option<()> {
        while let Some(action) = self.server.next(&mut self.input, self.now) {
            match action {
                Action::Connect(_) => panic!("a second CONNECT"),
                Action::Publish(message) => self.check_message(&message),
                Action::Close(close) => {
                    fuzz::assert_readable(&close.cause.to_string());
                    if let CloseCause::Protocol(error) = &close.cause {
                        assert!(error.code.is_failure());
                    }
                    self.closed = true;
                    return None;
                }
                Action::Acknowledged(..) | Action::Subscribe(_) | Action::Unsubscribe(_) => {}
            }
        }
        assert!(self.server.output().len() <= MAX_OUTPUT + 2 * MAX_PACKET as usize);
        if self.server.check_time(self.now).is_some() {
            self.closed = true;
            return None;
        }
        Some(())
    }

    fn check_message(&mut self, message: &Publish) {
        assert!(!message.topic.is_empty() && !message.topic.contains(['+', '#', '\0']));
        assert!(message.topic_alias.is_none() && message.qos <= Qos::AtLeastOnce);
        assert!(message.subscription_identifiers.is_empty() && message.left_out == 0);
        if let Some(id) = message.packet_id {
            assert!(self.published.insert(id), "{id} was not answered");
            assert!(self.published.len() <= 5, "more than the Receive Maximum");
        }
    }

    /// Asserts that a client can decode what the server writes.
    fn written(&mut self) {
        let mut output = self.server.output().split();
        let mut framer = Framer::new(Sender::Server);
        framer.set_version(self.version);
        loop {
            match framer.next(&mut output) {
                Ok(Some(frame)) => match decode(frame, Sender::Server, self.version) {
                    Ok(packet) => self.check_order(&packet),
                    Err(error) => panic!("{error}"),
                },
                Ok(None) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(output.is_empty(), "half a packet was written");
    }

    /// Asserts that CONNACK comes first and once, and DISCONNECT last and only after a successful CONNACK.
    fn check_order(&mut self, packet: &Packet) {
        assert!(!self.is_over, "{packet:?} behind the last packet");
        match (packet, self.accepted) {
            (Packet::Connack(connack), None) => {
                self.accepted = Some(connack.code == ReasonCode::SUCCESS);
                self.is_over = connack.code.is_failure();
            }
            (Packet::Disconnect(_), Some(true)) => self.is_over = true,
            (Packet::Connack(_) | Packet::Disconnect(_), _) | (_, None) => panic!("{packet:?} now"),
            _ => {}
        }
    }

    fn check_end(&mut self) {
        if self.closed {
            assert_eq!(self.server.next(&mut self.input, self.now), None);
        }
        self.written();
        let close = self.server.lost();
        assert!(!self.closed || close.will.is_none(), "a will twice");
    }
}

fn delivery<'a>(
    qos: u8,
    retain: bool,
    subscription_identifiers: &'a [u32],
    properties: &'a Properties,
    payload: &'a [u8],
) -> Delivery<'a> {
    Delivery {
        topic: "gw-1/in",
        qos: Qos::from_number(qos % 3).unwrap_or_default(),
        retain,
        subscription_identifiers,
        properties,
        payload,
    }
}
