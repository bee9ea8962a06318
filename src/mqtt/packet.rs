//! The packets of MQTT 5.0 and 3.1.1, as either side sends them.
//!
//! One set of types serves both versions: what 3.1.1 does not have (properties, most reason codes, subscription options) is absent
//! from its packets, and is left out when one is written.

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
    /// A PUBLISH that is larger than the receiver accepts, of which the payload was thrown away. Only a client skips them.
    Oversize {
        /// At quality of service 1: by which it is acknowledged.
        packet_id: Option<u16>,
        /// Where it was published.
        topic: String,
        /// The bytes of the packet.
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
    /// UNSUBACK; of MQTT 3.1.1 without codes.
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
    /// The version that the client speaks.
    pub version: ProtocolVersion,
    /// Whether the client is a broker that bridges: mosquitto sets the highest bit of the protocol level for that.
    pub bridge: bool,
    /// Whether the server shall forget the session of before; in MQTT 3.1.1 Clean Session.
    pub clean_start: bool,
    /// Keep-alive in seconds, 0 for none.
    pub keep_alive: u16,
    /// The client identifier, empty where the server shall assign one.
    pub client_id: String,
    /// The message that the server publishes when the connection is lost.
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
    /// Where it is published.
    pub topic: String,
    /// The message itself.
    pub payload: Bytes,
    /// How many seconds the server waits before it publishes it.
    pub delay: u32,
    /// Its properties.
    pub properties: Properties,
}

/// The fields of CONNACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connack {
    /// Whether the server has kept the session.
    pub session_present: bool,
    /// Success, or why the server refuses. A return code of MQTT 3.1.1 is read as the reason code that means the same.
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
    /// Whether the server shall keep it, or had kept it.
    pub retain: bool,
    /// Where it is published; empty where a topic alias says it.
    pub topic: String,
    /// The packet identifier, at quality of service 1 and 2.
    pub packet_id: Option<u16>,
    /// The number that stands for the topic on this connection.
    pub topic_alias: Option<u16>,
    /// The identifiers of the subscriptions that it matches.
    pub subscription_identifiers: Vec<u32>,
    /// Properties that receivers see.
    pub properties: Properties,
    /// How many properties were left out, because the packet repeats one more often than [`MAX_USER_PROPERTIES`](super::MAX_USER_PROPERTIES) times.
    pub left_out: usize,
    /// The message itself.
    pub payload: Bytes,
}

/// The fields of PUBACK, PUBREC, PUBREL and PUBCOMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The packet identifier of the message.
    pub packet_id: u16,
    /// Success, or why the message is refused.
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

/// Subscription options (MQTT 5.0, 3.8.3.1). MQTT 3.1.1 has the quality of service alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The highest quality of service at which messages may come.
    pub qos: Qos,
    /// Whether the client's own messages are left out.
    pub no_local: bool,
    /// Whether messages keep the retain flag that they were published with.
    pub retain_as_published: bool,
    /// Which retained messages are sent when the subscription is made.
    pub retain_handling: RetainHandling,
}

/// Which retained messages are sent when a subscription is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetainHandling {
    /// All that match.
    #[default]
    Send,
    /// All that match, unless the subscription exists already.
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
    /// Why the connection ends.
    pub code: ReasonCode,
    /// The properties.
    pub properties: Vec<Property>,
}

impl Disconnect {
    /// The reason code with the other side's words for it.
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
