//! Tests of the server's side, with valid and invalid packets from a client.

mod answers;
mod connecting;
mod conversation;
mod deliveries;
mod ending;
mod malformed;
mod messages;
mod packets;
mod random;
mod refusals;
mod tolerance;

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use self::packets::{CONNECT_5, connect};
use super::packet;
use crate::mqtt::packet::{Connack, Connect, Publish, Subscription};
use crate::mqtt::*;
use crate::qos::Qos;

pub(super) const V3: ProtocolVersion = ProtocolVersion::V3_1_1;
pub(super) const V5: ProtocolVersion = ProtocolVersion::V5;

/// [`CONNECT_5`] of MQTT 3.1.1.
pub(super) const CONNECT_3: &[u8] = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02gw";

/// A server's connection, the bytes that its client has sent, and the time.
pub(super) struct Link {
    pub(super) server: Server,
    pub(super) input: BytesMut,
    pub(super) now: Instant,
}

impl Link {
    pub(super) fn new() -> Self {
        Self::with(ServerOptions::default())
    }

    pub(super) fn with(options: ServerOptions) -> Self {
        let now = Instant::now();
        Self {
            server: Server::new(options, now),
            input: BytesMut::new(),
            now,
        }
    }

    /// Returns a connection that was accepted.
    pub(super) fn connected(version: ProtocolVersion) -> Self {
        let connect = match version {
            ProtocolVersion::V5 => CONNECT_5,
            ProtocolVersion::V3_1_1 => CONNECT_3,
        };
        Self::accepted(connect, Acceptance::default())
    }

    /// Returns a connection whose CONNECT was accepted on these terms.
    pub(super) fn accepted(connect: &[u8], acceptance: Acceptance) -> Self {
        let mut link = Self::new();
        assert!(matches!(link.receive(connect), Some(Action::Connect(_))));
        link.server.accept(acceptance, link.now);
        link.sent();
        link
    }

    /// Returns the first action that these bytes cause.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Option<Action> {
        self.input.extend_from_slice(bytes);
        self.next()
    }

    pub(super) fn next(&mut self) -> Option<Action> {
        self.server.next(&mut self.input, self.now)
    }

    /// Returns the end of the connection that these bytes cause.
    pub(super) fn close(&mut self, bytes: &[u8]) -> Close {
        self.input.extend_from_slice(bytes);
        loop {
            match self.next() {
                Some(Action::Close(close)) => return *close,
                Some(_) => {}
                None => panic!("the connection goes on"),
            }
        }
    }

    /// Returns the bytes that the server has written since the last call.
    pub(super) fn sent(&mut self) -> Vec<u8> {
        self.server.output().split().to_vec()
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

/// Returns statement and code of the protocol error that has ended a connection.
pub(super) fn protocol_error(close: &Close) -> (u8, &'static str) {
    match &close.cause {
        CloseCause::Protocol(error) => (error.code.0, error.statement),
        other => panic!("{other}"),
    }
}

/// Returns PUBLISH on `t` with these flags, and a packet identifier at QoS 1.
pub(super) fn publish(version: ProtocolVersion, flags: u8, id: u16) -> Vec<u8> {
    let mut body = b"\x00\x01t".to_vec();
    if flags & 6 != 0 {
        body.extend_from_slice(&id.to_be_bytes());
    }
    if version == V5 {
        body.push(0);
    }
    body.push(b'x');
    packet(0x30 | flags, &body)
}

/// Returns an accepted connection of a server with these options.
pub(super) fn accepted_with(options: ServerOptions, connect: &[u8]) -> Link {
    let mut link = Link::with(options);
    assert!(matches!(link.receive(connect), Some(Action::Connect(_))));
    link.server.accept(Acceptance::default(), link.now);
    link.sent();
    link
}
