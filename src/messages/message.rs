//! Messages and their MQTT 5 properties.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::qos::Qos;

/// AWS IoT accepts at most 128 KiB of payload (quotas, "Message payload").
pub const MAX_PAYLOAD: usize = 128 * 1024;
/// Largest size of the properties: they come in the head of a request, which is bounded.
pub const MAX_PROPERTIES: usize = 8 * 1024;
/// Message expiry that AWS IoT accepts, in seconds: up to 7 days (developer guide, mqtt).
pub const EXPIRY_RANGE: std::ops::RangeInclusive<u32> = 1..=604_800;

/// A message to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Topic: checked, with placeholders filled in.
    pub topic: String,
    /// Payload.
    pub payload: Bytes,
    /// Whether the broker retains it for later subscribers.
    pub retain: bool,
    /// MQTT 5 properties.
    pub properties: Properties,
}

impl Message {
    /// Returns the size of its packet at quality of service 1 (MQTT 5.0, 3.3): fixed header, topic, packet ID, properties, payload.
    pub fn packet_size(&self) -> usize {
        let properties = self.properties.packet_size();
        let rest = 2 + self.topic.len() + 2 + variable(properties) + properties + self.payload.len();
        1 + variable(rest) + rest
    }
}

/// Returns the size of a variable byte integer (MQTT 5.0, 1.5.5).
fn variable(number: usize) -> usize {
    match number {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

/// Returns the bytes by which a message counts towards the limits: about what it takes on the disk. A row of SQLite and its share of the
/// page take some forty bytes in addition to their content.
pub(super) fn stored_size(topic: &str, payload: usize, properties: usize) -> u64 {
    const ROW: usize = 40;
    u64::try_from(topic.len() + payload + properties + ROW).unwrap_or(u64::MAX)
}

/// The MQTT 5 properties that AWS IoT forwards. The database stores them as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Properties {
    /// Type of the payload, usually a MIME type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Topic for the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_topic: Option<String>,
    /// Data that the response must carry.
    #[serde(skip_serializing_if = "Option::is_none", with = "in_base64")]
    pub correlation_data: Option<Vec<u8>>,
    /// Whether the payload is UTF-8 text (1) or unspecified bytes (0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_format_indicator: Option<u8>,
    /// Seconds after which the message expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_expiry: Option<u32>,
    /// Names and values that the program chooses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_properties: Vec<(String, String)>,
}

impl Properties {
    /// Returns the size of their content in bytes, without identifiers and lengths.
    pub fn size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let user = self
            .user_properties
            .iter()
            .map(|(name, value)| name.len() + value.len());
        text(&self.content_type)
            + text(&self.response_topic)
            + self.correlation_data.as_ref().map_or(0, Vec::len)
            + user.sum::<usize>()
    }

    /// Returns the size in a packet (MQTT 5.0, 2.2.2): each property has an identifier, and a length unless its size is fixed.
    fn packet_size(&self) -> usize {
        let fixed =
            2 * usize::from(self.payload_format_indicator.is_some()) + 5 * usize::from(self.message_expiry.is_some());
        let with_length = usize::from(self.content_type.is_some())
            + usize::from(self.response_topic.is_some())
            + usize::from(self.correlation_data.is_some());
        fixed + 3 * with_length + 5 * self.user_properties.len() + self.size()
    }

    /// Encodes them for the database; `None` if there are none.
    pub(super) fn to_json(&self) -> Option<String> {
        // Strings, numbers and lists of them can always be serialised.
        (*self != Self::default()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// Decodes them from the database. Properties that a newer version wrote are left out, so that the message is not lost.
    pub(super) fn from_json(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }
}

mod in_base64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(data: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(data.as_deref().unwrap_or_default()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Some).map_err(D::Error::custom)
    }
}

/// A message from the broker.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Topic that it was published to.
    pub topic: String,
    /// Payload.
    pub payload: Bytes,
    /// Quality of service of its delivery.
    pub qos: Qos,
    /// Whether it is a retained message, which the broker sends because of a new subscription.
    pub retained: bool,
    /// MQTT 5 properties.
    pub properties: Properties,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_decoded_as_they_were_encoded() {
        let all = Properties {
            content_type: Some("application/json".into()),
            response_topic: Some("gw-1/answers".into()),
            correlation_data: Some(vec![0, 255, 7]),
            payload_format_indicator: Some(1),
            message_expiry: Some(60),
            user_properties: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
        };
        assert_eq!(Properties::from_json(all.to_json().as_deref()), all);
        assert_eq!(Properties::default().to_json(), None);
        assert_eq!(Properties::from_json(Some("{\"later\":1}")), Properties::default());
    }
}
