//! Handles messages that a service of AWS IoT answers, in place of the broker.

use std::sync::Arc;

use bytes::Bytes;

use super::forwarder::Forwarder;
use crate::device_services::{Reply, Request, Service};
use crate::front::end::ConnectionEnd;
use crate::front::session::Session;
use crate::front::writer::Outgoing;
use crate::mqtt::{Acknowledgement, Packet, Properties, Publish, QoS, reason};

/// Acknowledges the message, and has it answered while the connection continues.
pub(super) async fn serve(forwarder: &Forwarder<'_>, service: Service, publish: Publish) -> Result<(), ConnectionEnd> {
    let session = forwarder.session.clone();
    let request = Request {
        cloud: session.cloud.clone(),
        client_id: session.client_id.clone(),
        certificate: session.certificate.clone(),
        topic: publish.topic,
        payload: publish.payload,
    };
    if publish.qos == QoS::AtLeastOnce {
        let puback = Acknowledgement::new(publish.packet_id, reason::SUCCESS);
        forwarder.answer(Packet::Puback(puback)).await?;
    }
    // The connection may end first, without waiting for the answer.
    let to_client = forwarder.to_client.downgrade();
    tokio::spawn(async move {
        for reply in service(request).await {
            if !may_receive(&session, &reply) {
                continue;
            }
            let Some(to_client) = to_client.upgrade() else { return };
            let packet = Packet::Publish(packet(reply));
            // The client may have gone meanwhile.
            let _ = to_client.send(Outgoing::Packet(packet.encode(session.protocol))).await;
        }
    });
    Ok(())
}

fn may_receive(session: &Arc<Session>, reply: &Reply) -> bool {
    session.is_subscribed(&reply.topic) && session.decide("iot:Receive", "topic", &reply.topic).allowed
}

fn packet(reply: Reply) -> Publish {
    Publish {
        duplicate: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: reply.topic,
        packet_id: 0,
        properties: Properties::default(),
        payload: Bytes::from(reply.payload.to_string()),
    }
}
