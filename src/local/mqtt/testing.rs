//! A server's connection for unit tests.

use bytes::BytesMut;
use tokio::time::Instant;

use crate::mqtt::{Acceptance, Action, Framer, Packet, ProtocolVersion, Sender, Server, ServerOptions, decode, encode};

/// CONNECT of an MQTT 5 client whose Receive Maximum is 2 and whose Maximum Packet Size is 64.
const CONNECT: &[u8] = b"\x10\x17\x00\x04MQTT\x05\x02\x00\x3c\x08\x21\x00\x02\x27\x00\x00\x00\x40\x00\x02gw";

/// Returns a server whose client is connected.
pub(super) fn connected_server() -> Server {
    let mut server = Server::new(ServerOptions::default(), Instant::now());
    let mut input = BytesMut::from(CONNECT);
    let action = server.next(&mut input, Instant::now());
    assert!(matches!(action, Some(Action::Connect(_))), "{action:?}");
    server.accept(Acceptance::default(), Instant::now());
    assert_eq!(sent(&mut server).len(), 1, "CONNACK");
    server
}

/// Passes a packet of the client to the server.
pub(super) fn receive(server: &mut Server, packet: &Packet) -> Option<Action> {
    let mut input = BytesMut::new();
    encode(&mut input, packet, ProtocolVersion::V5).unwrap();
    server.next(&mut input, Instant::now())
}

/// Takes the packets that the server has written.
pub(super) fn sent(server: &mut Server) -> Vec<Packet> {
    let mut framer = Framer::new(Sender::Server);
    let mut packets = Vec::new();
    while let Some(frame) = framer.next(server.output()).unwrap() {
        packets.push(decode(frame, Sender::Server, ProtocolVersion::V5).unwrap());
    }
    packets
}
