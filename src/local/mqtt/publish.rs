//! Handles PUBLISH of clients: checks it as over HTTP, then passes it to the outbox or, at QoS 0, to the session.

use std::rc::Rc;

use tokio::time::Instant;

use super::filters::ClientFilters;
use super::mailbox::Mailbox;
use super::principal::Principal;
use super::publish_queue::Submission;
use super::refusal::Refusal;
use super::topics::resolve_topic;
use crate::local::access::Permission;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::messages::{EXPIRY_RANGE, MAX_PAYLOAD, MAX_PROPERTIES, Message, Sequence};
use crate::mqtt::packet::Publish;
use crate::mqtt::{ProtocolVersion, ReasonCode, Server};
use crate::qos::Qos;
use crate::status::SessionPhase;
use crate::topic;

/// Passes the messages of one connection on, and answers them.
pub(super) struct Publisher {
    /// Receives the outcomes of messages at QoS 1.
    mailbox: Rc<Mailbox>,
    /// The messages of a connection over MQTT 3.1.1, where a message that is not accepted ends it, once there are some.
    sequence: Option<Sequence>,
}

impl Publisher {
    pub(super) fn new(mailbox: Rc<Mailbox>) -> Self {
        Self {
            mailbox,
            sequence: None,
        }
    }

    /// Passes a message on. Its PUBACK follows once it is on the disk.
    pub(super) fn publish(
        &mut self,
        publish: Publish,
        principal: &Principal,
        filters: &mut ClientFilters,
        server: &mut Server,
    ) {
        let context = &principal.context;
        let (packet_id, topic) = (publish.packet_id, publish.topic.clone());
        let message = match check_message(context, &principal.caller, publish, &principal.thing()) {
            Ok(message) => message,
            Err(refusal) => return refuse(packet_id, &topic, &refusal, principal, server),
        };
        let mqtt = &context.mqtt;
        let is_online = context.board.session.borrow().phase == SessionPhase::Connected;
        if packet_id.is_some() || is_online {
            let qos = match packet_id {
                Some(_) => Qos::AtLeastOnce,
                None => Qos::AtMostOnce,
            };
            filters.remember_own(&message, qos, Instant::now());
        }
        match packet_id {
            Some(packet_id) => mqtt.publish_queue.push(Submission {
                message,
                account: principal.key.account.clone(),
                sequence: match server.version() {
                    ProtocolVersion::V5 => None,
                    ProtocolVersion::V3_1_1 => Some(self.sequence.get_or_insert_default().clone()),
                },
                answer_to: Some((self.mailbox.clone(), packet_id)),
            }),
            None if !is_online => {
                mqtt.log.drop_qos0("the MQTT session with AWS is not connected");
            }
            None => {
                if !mqtt.qos0_queue.push(message, &principal.reader) {
                    mqtt.log.drop_qos0("too many wait for the session");
                }
            }
        }
    }

    /// Sends PUBACK for the messages whose outcome is known.
    pub(super) fn answer_stored(&self, principal: &Principal, server: &mut Server) {
        for (packet_id, outcome) in self.mailbox.take_stored() {
            match outcome {
                Ok(()) => server.puback(packet_id, ReasonCode::SUCCESS, None),
                Err(error) => refuse(Some(packet_id), "", &Refusal::from(error), principal, server),
            }
        }
    }
}

/// Refuses a message: with a reason code in MQTT 5, by ending the connection in MQTT 3.1.1. At QoS 0 there is no answer.
fn refuse(packet_id: Option<u16>, topic: &str, refusal: &Refusal, principal: &Principal, server: &mut Server) {
    let log = &principal.context.mqtt.log;
    log.refuse_message(&principal.name, topic, &refusal.words);
    if let Some(packet_id) = packet_id {
        server.puback(packet_id, refusal.code, Some(&refusal.words));
    }
}

/// Returns the message to publish.
///
/// # Errors
/// If no rule allows its topic, or AWS would not accept it.
pub(super) fn check_message(
    context: &ApiContext,
    caller: &Caller,
    publish: Publish,
    thing: &str,
) -> Result<Message, Refusal> {
    let presence = context.presence_topic.borrow().clone();
    let topic = resolve_topic(&publish.topic, thing, presence.as_deref())?;
    context.authorize(caller, Permission::Publish(&topic), thing)?;
    let mut properties = publish.properties;
    if let Some(response) = &properties.response_topic {
        topic::check_publish(response)
            .map_err(|reason| Refusal::new(ReasonCode::TOPIC_NAME_INVALID, format!("the response topic: {reason}")))?;
    }
    // AWS keeps no message longer than this, and even a message that expires at once is worth sending.
    properties.message_expiry = properties
        .message_expiry
        .map(|seconds| seconds.clamp(*EXPIRY_RANGE.start(), *EXPIRY_RANGE.end()));
    let texts = [&properties.content_type, &properties.response_topic];
    let users = properties
        .user_properties
        .iter()
        .flat_map(|(name, value)| [name, value]);
    if let Some(character) = texts
        .into_iter()
        .flatten()
        .chain(users)
        .find_map(|text| topic::not_allowed(text))
    {
        let words = format!("a property has the character {character}, for which a broker may close the connection");
        return Err(Refusal::new(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, words));
    }
    let message = Message {
        topic,
        payload: publish.payload,
        retain: publish.retain,
        properties,
    };
    check_size(&message, context.outbox.packet_limit())?;
    Ok(message)
}

fn check_size(message: &Message, packet_limit: u32) -> Result<(), Refusal> {
    let (payload, properties, packet) = (message.payload.len(), message.properties.size(), message.packet_size());
    let words = if payload > MAX_PAYLOAD {
        format!("its payload has {payload} bytes, and AWS IoT accepts at most {MAX_PAYLOAD}")
    } else if properties > MAX_PROPERTIES {
        format!("its properties have {properties} bytes, more than {MAX_PROPERTIES}")
    } else if packet > usize::try_from(packet_limit).unwrap_or(usize::MAX) {
        format!("it makes a packet of {packet} bytes, and the broker accepts at most {packet_limit} bytes")
    } else {
        return Ok(());
    };
    Err(Refusal::new(ReasonCode::QUOTA_EXCEEDED, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Properties;

    fn message(payload: usize, properties: usize) -> Message {
        let users = (properties > 0).then(|| ("n".to_owned(), "v".repeat(properties - 1)));
        Message {
            topic: "gw-1/a".to_owned(),
            payload: vec![0; payload].into(),
            properties: Properties {
                user_properties: users.into_iter().collect(),
                ..Properties::default()
            },
            ..Message::default()
        }
    }

    #[test]
    fn a_message_that_aws_would_not_take_is_refused_with_its_measure() {
        let whole = message(1000, 0).packet_size();
        let limit = |bytes: usize| u32::try_from(bytes).unwrap();
        for (payload, properties, packet_limit, words) in [
            (0, 0, u32::MAX, None),
            (MAX_PAYLOAD, 0, u32::MAX, None),
            (MAX_PAYLOAD + 1, 0, u32::MAX, Some("its payload has")),
            (0, MAX_PROPERTIES, u32::MAX, None),
            (0, MAX_PROPERTIES + 1, u32::MAX, Some("its properties have")),
            (MAX_PAYLOAD + 1, MAX_PROPERTIES + 1, 0, Some("its payload has")),
            (1000, 0, limit(whole), None),
            (1000, 0, limit(whole) - 1, Some("it makes a packet of")),
        ] {
            let refusal = check_size(&message(payload, properties), packet_limit).err();
            let found = refusal.as_ref().map(|refusal| refusal.words.as_str());
            assert_eq!(found.is_some(), words.is_some(), "{payload} {properties}: {found:?}");
            if let (Some(refusal), Some(words)) = (&refusal, words) {
                assert!(refusal.words.starts_with(words), "{}", refusal.words);
                assert_eq!(refusal.code, ReasonCode::QUOTA_EXCEEDED);
            }
        }
    }
}
