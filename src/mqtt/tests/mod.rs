//! Tests of the client's side, with valid and invalid packets from a server.

mod limits;
mod liveness;
mod protocol_errors;
mod random;
mod round_trip;
mod server;
mod tolerance;

use bytes::BytesMut;

use super::*;
use crate::messages::Message;
use crate::mqtt::packet::{Acknowledgement, Publish, Suback};
use crate::qos::Qos;

/// Feeds `bytes` to a client that has published, subscribed and unsubscribed once (packet identifiers 1, 2 and 3), up to
/// the first protocol error.
pub(super) fn receive(bytes: &[u8]) -> (Vec<Incoming>, Option<ProtocolError>) {
    let mut client = busy_client();
    let (mut framer, mut input) = (Framer::new(Sender::Server), BytesMut::new());
    let mut incoming = Vec::new();
    // In pieces, as a network delivers them.
    for piece in bytes.chunks(1000) {
        input.extend_from_slice(piece);
        loop {
            let next = framer.next(&mut input).and_then(|frame| match frame {
                Some(frame) => client
                    .receive(decode(frame, Sender::Server, ProtocolVersion::V5)?)
                    .map(Some),
                None => Ok(None),
            });
            match next {
                Ok(Some(one)) => incoming.push(one),
                Ok(None) => break,
                Err(error) => return (incoming, Some(error)),
            }
        }
        assert!(input.len() <= MAX_PACKET as usize + 1000, "what waits is bounded");
    }
    (incoming, None)
}

pub(super) fn busy_client() -> Client {
    let mut client = Client::new(ServerLimits::default());
    let mut output = BytesMut::new();
    let message = Message {
        topic: "t".into(),
        ..Message::default()
    };
    assert_eq!(client.publish(&message, true, &mut output), Ok(Some(1)));
    assert_eq!(
        client.subscribe(
            &[("a".into(), Qos::AtLeastOnce), ("b".into(), Qos::AtMostOnce)],
            &mut output
        ),
        Ok(2)
    );
    assert_eq!(client.unsubscribe(&["c".into()], &mut output), Ok(3));
    client
}

/// Returns PUBLISH on `t` with these flags, packet identifier if there is one, properties and payload.
pub(super) fn publish(flags: u8, packet_id: &[u8], properties: &[u8], payload: usize) -> Vec<u8> {
    let mut body = b"\x00\x01t".to_vec();
    body.extend_from_slice(packet_id);
    let mut length = BytesMut::new();
    wire::put_variable(&mut length, properties.len());
    body.extend_from_slice(&length);
    body.extend_from_slice(properties);
    body.resize(body.len() + payload, b'x');
    packet(0x30 | flags, &body)
}

pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::from(&[first][..]);
    wire::put_variable(&mut bytes, body.len());
    bytes.extend_from_slice(body);
    bytes.to_vec()
}

/// Returns PUBACK for a message.
pub(super) fn puback(packet_id: u16) -> Packet {
    Packet::Puback(Acknowledgement {
        packet_id,
        code: ReasonCode::SUCCESS,
        properties: Vec::new(),
    })
}
