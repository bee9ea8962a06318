//! Packets from the broker to the client. Each message requires iot:Receive.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::end::ConnectionEnd;
use super::session::{Session, Subscribing};
use super::streams::BrokerReader;
use super::writer::Outgoing;
use crate::events::Event;
use crate::mqtt::{Acknowledgement, Packet, Publish, QoS, Suback, reason};

pub(super) async fn run(
    session: &Session,
    reader: &mut BrokerReader,
    to_client: mpsc::Sender<Outgoing>,
    to_broker: mpsc::Sender<Bytes>,
) -> ConnectionEnd {
    loop {
        let frame = match reader.read().await {
            Ok(frame) => frame,
            Err(error) => return ConnectionEnd::broker_failed(error),
        };
        let packet = match Packet::decode(frame, session.protocol) {
            Ok(packet) => packet,
            Err(error) => return ConnectionEnd::broker_failed(error),
        };
        let last = matches!(packet, Packet::Disconnect(_));
        let outgoing = match packet {
            Packet::Publish(publish) if !may_receive(session, &publish) => {
                if publish.qos != QoS::AtMostOnce {
                    let puback = Packet::Puback(Acknowledgement::new(publish.packet_id, reason::SUCCESS));
                    if to_broker.send(puback.encode(session.protocol)).await.is_err() {
                        return ConnectionEnd::broker_failed("gone");
                    }
                }
                continue;
            }
            Packet::Publish(publish) => Packet::Publish(with_packet_id(session, publish)),
            Packet::Suback(suback) => Packet::Suback(with_refused(session, suback)),
            Packet::Unsuback(unsuback) => {
                let filters = session.state.lock().unsubscribing.remove(&unsuback.packet_id);
                let filters = filters.unwrap_or_default();
                session.cloud.client_records.unsubscribed(&session.client_id, &filters);
                session.tell_subscriptions("unsubscribed", &filters);
                Packet::Unsuback(unsuback)
            }
            Packet::Puback(puback) => {
                report_acknowledged(session, &puback);
                Packet::Puback(puback)
            }
            other => other,
        };
        let bytes = outgoing.encode(session.protocol);
        let outgoing = match outgoing {
            Packet::Puback(puback) => Outgoing::Puback {
                packet_id: puback.packet_id,
                bytes,
            },
            _ => Outgoing::Packet(bytes),
        };
        if to_client.send(outgoing).await.is_err() {
            return ConnectionEnd::client_gone();
        }
        if last {
            return ConnectionEnd::broker_failed("it said DISCONNECT");
        }
    }
}

fn may_receive(session: &Session, publish: &Publish) -> bool {
    session.decide("iot:Receive", "topic", &publish.topic).allowed
}

/// Gives a message the packet identifier under which the client gets it.
fn with_packet_id(session: &Session, mut publish: Publish) -> Publish {
    // developer guide, mqtt: AWS IoT does not set DUP.
    publish.duplicate = false;
    publish.packet_id = match publish.qos {
        QoS::AtMostOnce => 0,
        _ => session.state.lock().packet_ids.add_broker(publish.packet_id),
    };
    if publish.packet_id != 0 && session.cloud.switches.get(|switches| switches.report_acknowledgements) {
        let message = (publish.topic.clone(), publish.payload.clone());
        session.state.lock().delivering.insert(publish.packet_id, message);
    }
    publish
}

/// Reports that the broker has acknowledged a message, if that was requested.
fn report_acknowledged(session: &Session, puback: &Acknowledgement) {
    let message = session
        .state
        .lock()
        .unreported_acknowledgements
        .remove(&puback.packet_id);
    if let Some((topic, payload)) = message
        && puback.code < reason::UNSPECIFIED_ERROR
    {
        session.cloud.events.push(Event::Acknowledged {
            client_id: session.client_id.clone(),
            topic,
            payload: String::from_utf8_lossy(&payload).into_owned(),
        });
    }
}

/// Adds the codes of filters that were refused here to those from the broker, and reports the other filters, which are now in effect, as a
/// lifecycle event.
fn with_refused(session: &Session, mut suback: Suback) -> Suback {
    let under_way = session.state.lock().subscribing.remove(&suback.packet_id);
    if let Some(Subscribing { refused, filters }) = under_way {
        session.tell_subscriptions("subscribed", &filters);
        let qos = filters.iter().cloned().zip(suback.codes.iter().copied());
        session.cloud.client_records.subscribed(&session.client_id, qos);
        let mut granted = suback.codes.into_iter();
        suback.codes = refused
            .into_iter()
            .map(|code| code.or_else(|| granted.next()).unwrap_or(reason::UNSPECIFIED_ERROR))
            .collect();
    }
    suback
}
