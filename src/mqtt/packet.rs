//! The packets of MQTT 5.0 and 3.1.1, for both sides.
//!
//! One set of types serves both versions: features that 3.1.1 lacks (properties, most reason codes, subscription options) are absent from
//! its packets, and are left out when one is encoded.

use bytes::Bytes;

use super::properties::{Property, reason_string};
use super::{Password, ProtocolVersion, Reason, ReasonCode};
use crate::messages::Properties;
use crate::qos::Qos;

/// A packet of any type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// CONNECT.
    Connect(Box<Connect>),
    /// CONNACK.
    Connack(Connack),
    /// PUBLISH.
    Publish(Publish),
    /// A PUBLISH that is larger than the receiver accepts, without its payload. Only a client skips such messages.
    Oversize {
        /// The packet identifier at QoS 1.
        packet_id: Option<u16>,
        /// The topic.
        topic: String,
        /// The size of the packet.
        size: usize,
    },
    /// PUBACK.
    Puback(Acknowledgement),
    /// PUBREC.
    Pubrec(Acknowledgement),
    /// PUBREL.
    Pubrel(Acknowledgement),
    /// PUBCOMP.
    Pubcomp(Acknowledgement),
    /// SUBSCRIBE.
    Subscribe(Subscribe),
    /// SUBACK.
    Suback(Suback),
    /// UNSUBSCRIBE.
    Unsubscribe(Unsubscribe),
    /// UNSUBACK; without codes in MQTT 3.1.1.
    Unsuback(Suback),
    /// PINGREQ.
    Pingreq,
    /// PINGRESP.
    Pingresp,
    /// DISCONNECT.
    Disconnect(Disconnect),
    /// AUTH.
    Auth(Auth),
}

/// The fields of CONNECT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// The client's version.
    pub version: ProtocolVersion,
    /// Whether the client is the bridge of another broker, for which mosquitto sets the highest bit of the protocol level.
    pub bridge: bool,
    /// Whether the server discards an existing session; called Clean Session in MQTT 3.1.1.
    pub clean_start: bool,
    /// Keep-alive in seconds; 0 for none.
    pub keep_alive: u16,
    /// The client identifier; empty if the server must assign one.
    pub client_id: String,
    /// The message that the server publishes if the connection is lost.
    pub will: Option<Will>,
    /// The user name.
    pub user_name: Option<String>,
    /// The password.
    pub password: Option<Password>,
    /// The properties.
    pub properties: Vec<Property>,
}

/// The message that a server publishes for a client whose connection is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Will {
    /// The quality of service at which it is published.
    pub qos: Qos,
    /// Whether it is published as a retained message.
    pub retain: bool,
    /// The topic.
    pub topic: String,
    /// The message itself.
    pub payload: Bytes,
    /// The delay of the publication in seconds.
    pub delay: u32,
    /// Its properties.
    pub properties: Properties,
}

/// The fields of CONNACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connack {
    /// Whether the server has kept the session.
    pub session_present: bool,
    /// Success, or the reason of the refusal. A return code of MQTT 3.1.1 is converted to the reason code with the same meaning.
    pub code: ReasonCode,
    /// The properties.
    pub properties: Vec<Property>,
}

/// The fields of PUBLISH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    /// Whether it may have been sent before.
    pub dup: bool,
    /// The quality of service.
    pub qos: Qos,
    /// Whether the server must retain it, or had retained it.
    pub retain: bool,
    /// The topic; empty if a topic alias is used.
    pub topic: String,
    /// The packet identifier, at QoS 1 and 2.
    pub packet_id: Option<u16>,
    /// The topic alias.
    pub topic_alias: Option<u16>,
    /// The identifiers of the matching subscriptions.
    pub subscription_identifiers: Vec<u32>,
    /// Properties for the receivers.
    pub properties: Properties,
    /// Number of properties that were left out because the packet repeats one more than [`MAX_USER_PROPERTIES`](super::MAX_USER_PROPERTIES)
    /// times.
    pub left_out: usize,
    /// The message itself.
    pub payload: Bytes,
}

/// The fields of PUBACK, PUBREC, PUBREL and PUBCOMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The packet identifier of the message.
    pub packet_id: u16,
    /// Success, or the reason why the message is refused.
    pub code: ReasonCode,
    /// The properties.
    pub properties: Vec<Property>,
}

/// The fields of SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The packet identifier.
    pub packet_id: u16,
    /// The filters, at least one.
    pub subscriptions: Vec<Subscription>,
    /// The properties.
    pub properties: Vec<Property>,
}

/// A topic filter with its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topic filter.
    pub filter: String,
    /// The options.
    pub options: SubscriptionOptions,
}

/// Subscription options (MQTT 5.0, 3.8.3.1). MQTT 3.1.1 has only the QoS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The maximum QoS of messages.
    pub qos: Qos,
    /// Whether the client's own messages are left out.
    pub no_local: bool,
    /// Whether messages keep the retain flag that they were published with.
    pub retain_as_published: bool,
    /// The retained messages that are sent when the subscription is made.
    pub retain_handling: RetainHandling,
}

/// The retained messages that are sent when a subscription is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetainHandling {
    /// All matching ones.
    #[default]
    Send,
    /// All matching ones, unless the subscription already exists.
    SendIfNew,
    /// None.
    DoNotSend,
}

/// The fields of SUBACK and UNSUBACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suback {
    /// The packet identifier of the request.
    pub packet_id: u16,
    /// A code for each filter, in the order of the request.
    pub codes: Vec<ReasonCode>,
    /// The properties.
    pub properties: Vec<Property>,
}

/// The fields of UNSUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// The packet identifier.
    pub packet_id: u16,
    /// The filters, at least one.
    pub filters: Vec<String>,
    /// The properties.
    pub properties: Vec<Property>,
}

/// The fields of DISCONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// The reason for the end of the connection.
    pub code: ReasonCode,
    /// The properties.
    pub properties: Vec<Property>,
}

impl Disconnect {
    /// Returns the reason code with the other side's reason string.
    pub fn reason(&self) -> Reason {
        Reason {
            code: self.code,
            words: reason_string(&self.properties),
        }
    }
}

/// The fields of AUTH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Success, continue or re-authenticate.
    pub code: ReasonCode,
    /// The properties.
    pub properties: Vec<Property>,
}
