//! Packets from the client to the broker, each of which is authorized.

mod forwarder;
mod publish;
mod service_request;
mod subscribe;

use std::sync::Arc;

use bytes::Bytes;
use forwarder::Forwarder;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::direct_message::DirectOutcome;
use super::end::{Cause, ConnectionEnd};
use super::packet_ids::Sender;
use super::session::Session;
use super::streams::ClientReader;
use super::writer::Outgoing;
use crate::events::Event;
use crate::mqtt::{Acknowledgement, Disconnect, FrameError, Packet, Protocol, Value, property, reason};

pub(super) async fn run(
    session: &Arc<Session>,
    mut reader: ClientReader,
    to_client: mpsc::Sender<Outgoing>,
    to_broker: mpsc::Sender<Bytes>,
) -> ConnectionEnd {
    let forwarder = Forwarder {
        session,
        to_client,
        to_broker,
    };
    loop {
        let frame = match timeout(session.silence, reader.read()).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(FrameError::TooLarge(length))) => {
                return ConnectionEnd::with_disconnect(reason::QUOTA_EXCEEDED, format!("packet of {length} bytes"));
            }
            Ok(Err(FrameError::Malformed(error))) => {
                return ConnectionEnd::with_disconnect(reason::MALFORMED_PACKET, error.to_string());
            }
            Ok(Err(error)) => return ConnectionEnd::without_disconnect(Cause::ConnectionLost, error.to_string()),
            Err(_) => return ConnectionEnd::with_disconnect(reason::KEEP_ALIVE_TIMEOUT, "keep-alive timeout"),
        };
        let packet = match Packet::decode(frame, session.protocol) {
            Ok(packet) => packet,
            Err(error) => return ConnectionEnd::with_disconnect(reason::MALFORMED_PACKET, error.to_string()),
        };
        if let Err(end) = cut(session) {
            return end;
        }
        if let Err(end) = handle(&forwarder, packet).await {
            return end;
        }
    }
}

fn cut(session: &Session) -> Result<(), ConnectionEnd> {
    let packets = {
        let mut state = session.state.lock();
        state.packets += 1;
        state.packets
    };
    match session.cloud.switches.get(|switches| switches.cut_after_packets) {
        Some(most) if packets > most => Err(ConnectionEnd::without_disconnect(
            Cause::ConnectionLost,
            "cut by a switch",
        )),
        _ => Ok(()),
    }
}

/// Passes PUBACK to the sender of the message: the broker or a service. A PUBACK for an unknown message is left to the broker.
async fn acknowledge(forwarder: &Forwarder<'_>, puback: Acknowledgement) -> Result<(), ConnectionEnd> {
    tell_delivered(forwarder.session, &puback);
    let sender = forwarder.session.state.lock().packet_ids.acknowledged(puback.packet_id);
    match sender {
        Some(Sender::Service(waiting)) => {
            if let Some(waiting) = waiting {
                // The caller may have stopped waiting.
                let _ = waiting.send(DirectOutcome::Acknowledged(puback.code));
            }
            Ok(())
        }
        Some(Sender::Broker(packet_id)) => {
            forwarder
                .forward(Packet::Puback(Acknowledgement { packet_id, ..puback }))
                .await
        }
        None => forwarder.forward(Packet::Puback(puback)).await,
    }
}

/// The event of a message that the client has taken, where somebody wants to hear of it.
fn tell_delivered(session: &Session, puback: &Acknowledgement) {
    let message = session.state.lock().delivering.remove(&puback.packet_id);
    if let Some((topic, payload)) = message
        && puback.code < reason::UNSPECIFIED_ERROR
    {
        session.cloud.events.push(Event::Delivered {
            client_id: session.client_id.clone(),
            topic,
            payload: String::from_utf8_lossy(&payload).into_owned(),
        });
    }
}

async fn handle(forwarder: &Forwarder<'_>, packet: Packet) -> Result<(), ConnectionEnd> {
    match packet {
        Packet::Publish(publish) => publish::handle(forwarder, publish).await,
        Packet::Subscribe(subscribe) => subscribe::handle(forwarder, subscribe).await,
        Packet::Unsubscribe(unsubscribe) => {
            let session = forwarder.session;
            {
                let mut state = session.state.lock();
                for filter in &unsubscribe.filters {
                    state.subscriptions.remove(filter);
                }
                let filters = unsubscribe.filters.clone();
                state.unsubscribing.insert(unsubscribe.packet_id, filters);
            }
            forwarder.forward(Packet::Unsubscribe(unsubscribe)).await
        }
        Packet::Puback(puback) => acknowledge(forwarder, puback).await,
        Packet::Pingreq => forwarder.forward(packet).await,
        Packet::Disconnect(disconnect) => {
            forwarder
                .forward(Packet::Disconnect(capped(forwarder.session, disconnect)))
                .await?;
            Err(ConnectionEnd::without_disconnect(
                Cause::ClientInitiated,
                "the client said DISCONNECT",
            ))
        }
        // developer guide, life-cycle-events: a second CONNECT is a client error. Packets for QoS 2 do not occur here.
        Packet::Connect(_) => Err(ConnectionEnd::with_disconnect(
            reason::PROTOCOL_ERROR,
            "a second CONNECT",
        )),
        Packet::Pubrec(_) | Packet::Pubrel(_) | Packet::Pubcomp(_) => Err(ConnectionEnd::with_disconnect(
            reason::QOS_NOT_SUPPORTED,
            "a packet of QoS 2",
        )),
        Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp => Err(
            ConnectionEnd::with_disconnect(reason::PROTOCOL_ERROR, "a packet that only servers send"),
        ),
    }
}

/// Limits the session expiry that DISCONNECT requests to the account's maximum.
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
