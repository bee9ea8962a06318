//! The MQTT client against a broker that sends anything: raw bytes and whole packets, between messages of programs.

#![no_main]

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use bytes::BytesMut;
use gatepost::messages::{Message, Properties, Received};
use gatepost::mqtt::packet::Publish;
use gatepost::mqtt::{
    Client, Frame, Framer, Incoming, MAX_PACKET, Packet, ProtocolError, ProtocolVersion, RECEIVE_MAXIMUM, ReasonCode,
    Sender, ServerLimits, decode, encode,
};
use gatepost::qos::Qos;
use libfuzzer_sys::fuzz_target;

const CLIENT_ID: &str = "gw-1";

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// The first packet: CONNACK, if the broker follows the protocol.
    connack: &'a [u8],
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// Bytes from the broker.
    Bytes(&'a [u8]),
    Message {
        id: Option<u16>,
        retain: bool,
        topic: &'a str,
        payload: &'a [u8],
        user: Vec<(&'a str, &'a str)>,
    },
    Puback(u16, u8),
    Suback(u16, &'a [u8]),
    Unsuback(u16, &'a [u8]),
    /// Requests of programs.
    Publish {
        acknowledged: bool,
        retain: bool,
        payload: &'a [u8],
    },
    Subscribe(u8),
    Unsubscribe(u8),
    Acknowledge,
}

fuzz_target!(|input: Input| {
    check_framing(&input);
    let mut connection = Connection::new(limits(input.connack));
    for step in input.steps.iter().take(200) {
        if connection.take(step).is_none() {
            break;
        }
    }
});

fn limits(connack: &[u8]) -> ServerLimits {
    let frame = Framer::new(Sender::Server).next(&mut BytesMut::from(connack));
    match frame.map(|frame| frame.map(read)) {
        Ok(Some(Ok(Packet::Connack(connack)))) => ServerLimits::read(&connack, CLIENT_ID)
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default(),
        _ => ServerLimits::default(),
    }
}

fn read(frame: Frame) -> Result<Packet, ProtocolError> {
    decode(frame, Sender::Server, ProtocolVersion::V5)
}

/// Asserts that the stream is split into the same packets whether it arrives at once or byte by byte.
fn check_framing(input: &Input) {
    let mut stream = input.connack.to_vec();
    for step in &input.steps {
        if let Step::Bytes(bytes) = step {
            stream.extend_from_slice(bytes);
        }
    }
    let cut = |size: usize| Framer::new(Sender::Server).cut_all(stream.chunks(size));
    assert_eq!(cut(stream.len().max(1)), cut(1));
}

struct Connection {
    framer: Framer,
    client: Client,
    input: BytesMut,
    output: BytesMut,
    /// Packets that the broker has not answered yet, and packets that we have not.
    published: BTreeSet<u16>,
    received: Vec<u16>,
}

impl Connection {
    fn new(limits: ServerLimits) -> Self {
        Self {
            framer: Framer::new(Sender::Server),
            client: Client::new(limits),
            input: BytesMut::new(),
            output: BytesMut::new(),
            published: BTreeSet::new(),
            received: Vec::new(),
        }
    }

    /// Executes a step. Returns `None` once the broker has violated the protocol or the connection has ended.
    fn take(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Bytes(bytes) => self.input.extend_from_slice(bytes),
            Step::Message {
                id,
                retain,
                topic,
                payload,
                user,
            } => self.send_message(*id, *retain, topic, payload, user),
            Step::Puback(id, code) => self.send(0x40, *id, &[*code]),
            Step::Suback(id, codes) => self.send(0x90, *id, &[&[0], *codes].concat()),
            Step::Unsuback(id, codes) => self.send(0xb0, *id, &[&[0], *codes].concat()),
            Step::Publish {
                acknowledged,
                retain,
                payload,
            } => self.publish(*acknowledged, *retain, payload),
            Step::Subscribe(count) => {
                let filters: Vec<_> = (0..count % 8 + 1)
                    .map(|number| {
                        (
                            format!("gw-1/{number}/#"),
                            Qos::from_number(number % 2).unwrap_or_default(),
                        )
                    })
                    .collect();
                let _ = self.client.subscribe(&filters, &mut self.output);
            }
            Step::Unsubscribe(count) => {
                let filters: Vec<_> = (0..count % 8 + 1).map(|number| format!("gw-1/{number}/#")).collect();
                let _ = self.client.unsubscribe(&filters, &mut self.output);
            }
            Step::Acknowledge => {
                if let Some(id) = self.received.pop() {
                    self.client.acknowledge(id, ReasonCode::SUCCESS, &mut self.output);
                }
            }
        }
        self.output.clear();
        self.receive()
    }

    fn publish(&mut self, acknowledged: bool, retain: bool, payload: &[u8]) {
        let message = Message {
            topic: "gw-1/data".into(),
            payload: payload.to_vec().into(),
            retain,
            ..Message::default()
        };
        let before = self.output.len();
        match self.client.publish(&message, acknowledged, &mut self.output) {
            Ok(Some(id)) => {
                assert!(id != 0 && self.published.insert(id), "packet identifier {id} is in use");
                assert!(self.published.len() <= usize::from(self.client.limits().receive_maximum));
            }
            Ok(None) => assert!(!acknowledged),
            Err(_) => assert_eq!(self.output.len(), before, "half a packet was written"),
        }
        assert!(self.output.len() <= self.client.limits().maximum_packet_size as usize);
    }

    /// Decodes a message that we encoded as a client. A server may send the same packet, so it must be unchanged.
    fn send_message(&mut self, id: Option<u16>, retain: bool, topic: &str, payload: &[u8], user: &[(&str, &str)]) {
        let properties = Properties {
            user_properties: user
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            ..Properties::default()
        };
        let message = Publish {
            qos: if id.is_some() {
                Qos::AtLeastOnce
            } else {
                Qos::AtMostOnce
            },
            retain,
            topic: topic.into(),
            packet_id: id,
            properties,
            payload: payload.to_vec().into(),
            ..Publish::default()
        };
        let mut packet = BytesMut::new();
        if encode(&mut packet, &Packet::Publish(message.clone()), ProtocolVersion::V5).is_err() {
            return;
        }
        self.input.extend_from_slice(&packet);
        let mut framer = Framer::new(Sender::Server);
        let Ok(Some(frame @ Frame::Packet { .. })) = framer.next(&mut packet) else {
            return;
        };
        if let Ok(Packet::Publish(received)) = read(frame)
            && received.left_out == 0
        {
            assert_eq!(received, message);
        }
    }

    fn send(&mut self, first: u8, id: u16, rest: &[u8]) {
        let Ok(length) = u8::try_from(2 + rest.len()) else {
            return;
        };
        if length < 128 {
            self.input.extend_from_slice(&[first, length]);
            self.input.extend_from_slice(&id.to_be_bytes());
            self.input.extend_from_slice(rest);
        }
    }

    fn receive(&mut self) -> Option<()> {
        loop {
            let frame = match self.framer.next(&mut self.input) {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    assert!(
                        self.input.len() <= MAX_PACKET as usize,
                        "{} bytes wait",
                        self.input.len()
                    );
                    return Some(());
                }
                Err(error) => return ended(error),
            };
            let incoming = match read(frame).and_then(|packet| self.client.receive(packet)) {
                Ok(incoming) => incoming,
                Err(error) => return ended(error),
            };
            match incoming {
                Incoming::Message(id, message) => {
                    check_message(&message);
                    self.note(id);
                }
                Incoming::Skipped(id, _, why) => {
                    fuzz::assert_readable(&why);
                    self.note(id);
                }
                Incoming::Acknowledged(id, reason) => {
                    assert!(self.published.remove(&id), "{id} was not waiting");
                    fuzz::assert_readable(&reason.to_string());
                }
                Incoming::Disconnected(reason) => {
                    fuzz::assert_readable(&reason.to_string());
                    return None;
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, id: Option<u16>) {
        self.received.extend(id);
        let different: BTreeSet<_> = self.received.iter().collect();
        // A second acknowledgement is tolerated, for servers that lose count.
        assert!(
            different.len() <= 2 * usize::from(RECEIVE_MAXIMUM),
            "more than we have announced"
        );
    }
}

fn check_message(message: &Received) {
    assert!(!message.topic.contains(['+', '#', '\0']) && message.qos <= Qos::AtLeastOnce);
    assert!(message.topic.len() + message.payload.len() <= MAX_PACKET as usize);
}

fn ended(error: ProtocolError) -> Option<()> {
    fuzz::assert_readable(&error.to_string());
    assert!(
        error.code >= ReasonCode::UNSPECIFIED_ERROR,
        "{:?} is not a failure",
        error.code
    );
    None
}
