//! Handles PUBLISH from a client.
//!
//! "Developer guide" is the AWS IoT Core Developer Guide, with the name of the page, and "quotas" is the page of AWS IoT Core's quotas.

use tokio::time::{Instant, sleep};

use super::forwarder::Forwarder;
use super::service_request;
use crate::device_services;
use crate::events::Event;
use crate::front::end::{Cause, ConnectionEnd};
use crate::front::limits;
use crate::front::publish_rate::{PublishRate, RateVerdict};
use crate::front::session::Session;
use crate::mqtt::{Acknowledgement, Packet, Protocol, Publish, QoS, Value, property, reason};
use crate::rotator;

/// Checks a message against AWS's limits and the policies, and forwards it to the broker or to a device service. The switches
/// `hang_up_on` and `report_acknowledgements` serve tests, AWS does nothing like that.
pub(super) async fn handle(forwarder: &Forwarder<'_>, mut publish: Publish) -> Result<(), ConnectionEnd> {
    let session = forwarder.session;
    if publish.qos == QoS::ExactlyOnce {
        return match session.protocol {
            Protocol::V5 => Err(ConnectionEnd::with_disconnect(
                reason::QOS_NOT_SUPPORTED,
                "PUBLISH with QoS 2",
            )),
            // developer guide, mqtt: QoS 2 is not acknowledged in any way.
            Protocol::V311 => Ok(()),
        };
    }
    resolve_alias(session, &mut publish)?;
    let is_trigger = |suffix: &String| publish.topic.ends_with(suffix.as_str());
    if session
        .cloud
        .switches
        .get(|switches| switches.hang_up_on.as_ref().is_some_and(is_trigger))
    {
        return Err(ConnectionEnd::without_disconnect(
            Cause::of(reason::UNSPECIFIED_ERROR),
            "the switch hang_up_on",
        ));
    }
    // AWS's list of codes for DISCONNECT does not include one for packets that are too large (developer guide, mqtt).
    if publish.payload.len() > limits::MAX_PAYLOAD {
        return Err(ConnectionEnd::with_disconnect(
            reason::QUOTA_EXCEEDED,
            format!("payload of {} bytes", publish.payload.len()),
        ));
    }
    if !limits::topic_fits(&publish.topic) {
        return refuse(
            forwarder,
            &publish,
            reason::TOPIC_NAME_INVALID,
            "topic beyond the limits",
        )
        .await;
    }
    if let Some(reason) = denial(session, &publish) {
        return refuse(forwarder, &publish, reason::NOT_AUTHORIZED, &reason).await;
    }
    clamp_expiry(&mut publish);
    match count_message(session, publish.payload.len()) {
        RateVerdict::Pass => {}
        RateVerdict::Delay(delay) => sleep(delay).await,
        RateVerdict::Discard => {
            session.cloud.events.push(Event::Discarded {
                client_id: session.client_id.clone(),
                topic: publish.topic.clone(),
            });
            // The guide lists 0x97 for PUBACK (developer guide, mqtt); MQTT 3.1.1 has no equivalent.
            return match (session.protocol, publish.qos) {
                (Protocol::V5, QoS::AtLeastOnce) => {
                    let puback = Acknowledgement::new(publish.packet_id, reason::QUOTA_EXCEEDED);
                    forwarder.answer(Packet::Puback(puback)).await
                }
                _ => Ok(()),
            };
        }
    }
    if publish.qos == QoS::AtLeastOnce && !reserve_in_flight(session, publish.packet_id) {
        return match session.protocol {
            Protocol::V5 => Err(ConnectionEnd::with_disconnect(
                reason::RECEIVE_MAXIMUM_EXCEEDED,
                format!("more than {} unacknowledged", limits::MAX_UNACKNOWLEDGED),
            )),
            // quotas: no more messages are accepted until some are acknowledged.
            Protocol::V311 => Ok(()),
        };
    }
    let published = Event::Published {
        client_id: session.client_id.clone(),
        topic: publish.topic.clone(),
        length: publish.payload.len(),
    };
    if let Some(service) = device_services::find(&publish.topic) {
        session.cloud.events.push(published);
        return service_request::serve(forwarder, service, publish).await;
    }
    if publish.qos == QoS::AtLeastOnce && session.cloud.switches.get(|switches| switches.report_acknowledgements) {
        let message = (publish.topic.clone(), publish.payload.clone());
        session
            .state
            .lock()
            .unreported_acknowledgements
            .insert(publish.packet_id, message);
    }
    let message = rotator::Message {
        client_id: session.client_id.clone(),
        certificate: session.certificate.clone(),
        topic: publish.topic.clone(),
        payload: publish.payload.clone(),
    };
    forwarder.forward(Packet::Publish(publish)).await?;
    session.cloud.events.push(published);
    rotator::receive(&session.cloud, &message);
    Ok(())
}

/// Returns why the client may not publish this message; `None` if it may.
fn denial(session: &Session, publish: &Publish) -> Option<String> {
    let mut actions = vec!["iot:Publish"];
    if publish.retain {
        actions.push("iot:RetainPublish");
    }
    for action in actions {
        let decision = session.decide(action, "topic", &publish.topic);
        if !decision.allowed {
            return Some(decision.to_string());
        }
    }
    // developer guide, mqtt: no retained messages on reserved topics.
    let is_reserved = publish.retain && publish.topic.starts_with('$');
    is_reserved.then(|| "a retained message on a reserved topic".to_owned())
}

/// Moves a message expiry interval into AWS's range (quotas).
fn clamp_expiry(publish: &mut Publish) {
    let expiry = publish.properties.u32(property::MESSAGE_EXPIRY_INTERVAL);
    if let Some(expiry) = expiry.filter(|expiry| !limits::MESSAGE_EXPIRY.contains(expiry)) {
        let allowed = expiry.clamp(*limits::MESSAGE_EXPIRY.start(), *limits::MESSAGE_EXPIRY.end());
        publish
            .properties
            .set(property::MESSAGE_EXPIRY_INTERVAL, Value::U32(allowed));
    }
}

/// Refuses a message. MQTT 5 clients get a reason code in the acknowledgement; connections of 3.1.1 are closed, whatever the QoS
/// (aws-iot-device-sdk-python-v2 issue 260).
async fn refuse(forwarder: &Forwarder<'_>, publish: &Publish, code: u8, reason: &str) -> Result<(), ConnectionEnd> {
    match (forwarder.session.protocol, publish.qos) {
        (Protocol::V5, QoS::AtLeastOnce) => {
            forwarder
                .answer(Packet::Puback(Acknowledgement::new(publish.packet_id, code)))
                .await
        }
        (Protocol::V5, _) => Err(ConnectionEnd::with_disconnect(code, reason)),
        (Protocol::V311, _) => Err(ConnectionEnd::without_disconnect(Cause::of(code), reason)),
    }
}

/// Replaces a topic alias by its topic. Aliases are not forwarded to the broker, so only the front knows them.
fn resolve_alias(session: &Session, publish: &mut Publish) -> Result<(), ConnectionEnd> {
    let Some(alias) = publish.properties.u16(property::TOPIC_ALIAS) else {
        return Ok(());
    };
    if alias > limits::MAX_TOPIC_ALIASES {
        return Err(ConnectionEnd::with_disconnect(
            reason::TOPIC_ALIAS_INVALID,
            format!("topic alias above {}", limits::MAX_TOPIC_ALIASES),
        ));
    }
    publish.properties.remove(property::TOPIC_ALIAS);
    let aliases = &mut session.state.lock().aliases;
    if publish.topic.is_empty() {
        let topic = aliases.get(&alias);
        publish.topic = topic
            .ok_or_else(|| ConnectionEnd::with_disconnect(reason::PROTOCOL_ERROR, "an alias never set"))?
            .clone();
    } else {
        aliases.insert(alias, publish.topic.clone());
    }
    Ok(())
}

/// Counts a message of this size, and decides whether it exceeds the connection's rate.
fn count_message(session: &Session, bytes: usize) -> RateVerdict {
    let now = Instant::now();
    let most = session.cloud.switches.get(|switches| switches.publishes_per_second);
    let mut state = session.state.lock();
    state
        .publish_rate
        .get_or_insert_with(|| PublishRate::new(now))
        .count(bytes, most, now)
}

/// Records a packet ID as unacknowledged; returns `false` if there are too many. A known ID belongs to a message that is sent again.
fn reserve_in_flight(session: &Session, packet_id: u16) -> bool {
    let unacknowledged = &mut session.state.lock().unacknowledged;
    if unacknowledged.contains(&packet_id) {
        return true;
    }
    let room = unacknowledged.len() < usize::from(limits::MAX_UNACKNOWLEDGED);
    if room {
        unacknowledged.insert(packet_id);
    }
    room
}
