//! From the client to the broker: every packet is decided on.

mod publish;
mod subscribe;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::connect::ClientReader;
use super::end::{Cause, End};
use super::session::Session;
use super::writer::Outgoing;
use crate::mqtt::{Disconnect, FrameError, Packet, Protocol, Value, property, reason};

/// Where packets go on from here.
struct Ways<'a> {
    session: &'a Session,
    to_client: mpsc::Sender<Outgoing>,
    to_broker: mpsc::Sender<Bytes>,
}

impl Ways<'_> {
    async fn forward(&self, packet: Packet) -> Result<(), End> {
        let bytes = packet.encode(self.session.protocol);
        self.to_broker.send(bytes).await.map_err(|_| End::broker("gone"))
    }

    async fn answer(&self, packet: Packet) -> Result<(), End> {
        let bytes = packet.encode(self.session.protocol);
        let outgoing = match packet {
            Packet::Puback(puback) => Outgoing::Puback {
                packet_id: puback.packet_id,
                bytes,
            },
            _ => Outgoing::Packet(bytes),
        };
        self.to_client.send(outgoing).await.map_err(|_| End::client_gone())
    }
}

pub(super) async fn run(
    session: &Session,
    mut reader: ClientReader,
    to_client: mpsc::Sender<Outgoing>,
    to_broker: mpsc::Sender<Bytes>,
) -> End {
    let ways = Ways {
        session,
        to_client,
        to_broker,
    };
    loop {
        let frame = match timeout(session.silence, reader.read()).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(FrameError::TooLarge(length))) => {
                return End::telling(reason::QUOTA_EXCEEDED, format!("packet of {length} bytes"));
            }
            Ok(Err(FrameError::Malformed(error))) => return End::telling(reason::MALFORMED_PACKET, error.to_string()),
            Ok(Err(error)) => return End::silent(Cause::ConnectionLost, error.to_string()),
            Err(_) => return End::telling(reason::KEEP_ALIVE_TIMEOUT, "keep-alive timeout"),
        };
        let packet = match Packet::decode(frame, session.protocol) {
            Ok(packet) => packet,
            Err(error) => return End::telling(reason::MALFORMED_PACKET, error.to_string()),
        };
        if let Err(end) = cut(session) {
            return end;
        }
        if let Err(end) = handle(&ways, packet).await {
            return end;
        }
    }
}

fn cut(session: &Session) -> Result<(), End> {
    let packets = {
        let mut state = session.state.lock();
        state.packets += 1;
        state.packets
    };
    match session.cloud.switches.get(|switches| switches.cut_after_packets) {
        Some(most) if packets > most => Err(End::silent(Cause::ConnectionLost, "cut by a switch")),
        _ => Ok(()),
    }
}

async fn handle(ways: &Ways<'_>, packet: Packet) -> Result<(), End> {
    match packet {
        Packet::Publish(publish) => publish::handle(ways, publish).await,
        Packet::Subscribe(subscribe) => subscribe::handle(ways, subscribe).await,
        Packet::Unsubscribe(unsubscribe) => {
            let session = ways.session;
            {
                let mut state = session.state.lock();
                for filter in &unsubscribe.filters {
                    state.subscriptions.remove(filter);
                }
                let filters = unsubscribe.filters.clone();
                state.unsubscribing.insert(unsubscribe.packet_id, filters);
            }
            ways.forward(Packet::Unsubscribe(unsubscribe)).await
        }
        Packet::Puback(_) | Packet::Pingreq => ways.forward(packet).await,
        Packet::Disconnect(disconnect) => {
            ways.forward(Packet::Disconnect(capped(ways.session, disconnect)))
                .await?;
            Err(End::silent(Cause::ClientInitiated, "the client said DISCONNECT"))
        }
        // developer guide, life-cycle-events: a second CONNECT is a client error. QoS 2 has no other packets here.
        Packet::Connect(_) => Err(End::telling(reason::PROTOCOL_ERROR, "a second CONNECT")),
        Packet::Pubrec(_) | Packet::Pubrel(_) | Packet::Pubcomp(_) => {
            Err(End::telling(reason::QOS_NOT_SUPPORTED, "a packet of QoS 2"))
        }
        Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp => {
            Err(End::telling(reason::PROTOCOL_ERROR, "a packet that only servers send"))
        }
    }
}

/// DISCONNECT may change the session's expiry, up to the account's limit.
fn capped(session: &Session, mut disconnect: Disconnect) -> Disconnect {
    if session.protocol == Protocol::V5
        && let Some(asked) = disconnect.properties.u32(property::SESSION_EXPIRY_INTERVAL)
    {
        let granted = asked.min(session.session_expiry_limit);
        disconnect
            .properties
            .set(property::SESSION_EXPIRY_INTERVAL, Value::U32(granted));
    }
    disconnect
}
