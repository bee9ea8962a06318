//! Sends messages of services to a client.

use tokio::sync::{mpsc, oneshot};

use super::direct_message::{DirectMessage, DirectOutcome};
use super::end::ConnectionEnd;
use super::session::Session;
use super::writer::Outgoing;
use crate::mqtt::{Packet, Publish, QoS};

/// Sends a message to the client of this session.
pub(super) async fn deliver(
    session: &Session,
    message: DirectMessage,
    to_client: &mpsc::Sender<Outgoing>,
) -> Result<(), ConnectionEnd> {
    let tell = |waiting: Option<oneshot::Sender<DirectOutcome>>, outcome| {
        // The caller may have stopped waiting.
        waiting.map(|waiting| waiting.send(outcome))
    };
    if !session.decide("iot:Receive", "topic", &message.topic).allowed {
        tell(message.outcome, DirectOutcome::Forbidden);
        return Ok(());
    }
    let packet_id = match message.qos {
        QoS::AtMostOnce => {
            tell(message.outcome, DirectOutcome::Sent);
            0
        }
        _ => session.state.lock().packet_ids.add_service(message.outcome),
    };
    let publish = Packet::Publish(Publish {
        duplicate: false,
        qos: message.qos,
        retain: false,
        topic: message.topic,
        packet_id,
        properties: message.properties,
        payload: message.payload,
    });
    let bytes = publish.encode(session.protocol);
    to_client
        .send(Outgoing::Packet(bytes))
        .await
        .map_err(|_| ConnectionEnd::client_gone())
}
