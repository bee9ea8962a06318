//! A message and its MQTT 5 properties, as programs hand it over and receive it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::qos::Qos;

/// AWS IoT takes at most 128 KiB of payload (quotas, "Message payload").
pub const MAX_PAYLOAD: usize = 128 * 1024;
/// What the properties may take: they come in a request's head, which is bounded.
pub const MAX_PROPERTIES: usize = 8 * 1024;
/// AWS IoT: a message expires after 1 s to 7 days (developer guide, mqtt).
pub const EXPIRY_RANGE: std::ops::RangeInclusive<u32> = 1..=604_800;

/// A message to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Where to: checked, placeholders filled in.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// Whether the broker keeps it for those who subscribe later.
    pub retain: bool,
    /// What comes with it.
    pub properties: Properties,
}

impl Message {
    /// The bytes of its packet at quality of service 1 (MQTT 5.0, 3.3): fixed header, topic, packet ID, properties, payload.
    pub fn packet_size(&self) -> usize {
        let properties = self.properties.packet_size();
        let rest = 2 + self.topic.len() + 2 + variable(properties) + properties + self.payload.len();
        1 + variable(rest) + rest
    }
}

/// The bytes of a variable byte integer (MQTT 5.0, 1.5.5).
fn variable(number: usize) -> usize {
    match number {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

/// What a message counts for in the outbox, in bytes: as much as it takes on the disk, about. A row of SQLite and its
/// share of the page take some forty bytes more than what is in it.
pub(super) fn size(topic: &str, payload: usize, properties: usize) -> u64 {
    const ROW: usize = 40;
    u64::try_from(topic.len() + payload + properties + ROW).unwrap_or(u64::MAX)
}

/// The properties of MQTT 5 that AWS IoT passes on, under the names that its HTTP publish gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Properties {
    /// What the payload is, a MIME type as a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Where an answer is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_topic: Option<String>,
    /// What an answer must carry.
    #[serde(skip_serializing_if = "Option::is_none", with = "in_base64")]
    pub correlation_data: Option<Vec<u8>>,
    /// Whether the payload is UTF-8 text (1) or just bytes (0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_format_indicator: Option<u8>,
    /// After how many seconds nobody wants it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_expiry: Option<u32>,
    /// Names and values of the program's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_properties: Vec<(String, String)>,
}

impl Properties {
    /// Their bytes, without the few of each property's head.
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

    /// The bytes that they take in a packet (MQTT 5.0, 2.2.2): each has an identifier, and a length where it has no fixed one.
    fn packet_size(&self) -> usize {
        let fixed =
            2 * usize::from(self.payload_format_indicator.is_some()) + 5 * usize::from(self.message_expiry.is_some());
        let with_length = usize::from(self.content_type.is_some())
            + usize::from(self.response_topic.is_some())
            + usize::from(self.correlation_data.is_some());
        fixed + 3 * with_length + 5 * self.user_properties.len() + self.size()
    }

    /// As they are kept on the disk; `None` where there are none.
    pub(super) fn to_json(&self) -> Option<String> {
        // Strings, numbers and lists of them cannot fail to become JSON.
        (*self != Self::default()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// Back from the disk. What a later version wrote and this one does not know is left out rather than lost with the message.
    pub(super) fn from_json(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }
}

mod in_base64 {
    use base64::Engine as _;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::STANDARD;

    pub(super) fn serialize<S: Serializer>(data: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(data.as_deref().unwrap_or_default()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Some).map_err(D::Error::custom)
    }
}

/// A message that has come from the broker.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Where it was published.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// The quality of service it came with.
    pub qos: Qos,
    /// Whether the broker had kept it: an old message, sent because somebody has just subscribed.
    pub retained: bool,
    /// What came with it.
    pub properties: Properties,
}

/// A received message as a program reads it, one object a line.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    qos: Qos,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retained: bool,
    received: &'a str,
    #[serde(flatten)]
    properties: &'a Properties,
}

impl Received {
    /// The line: `payload` where it is text, else `payload_base64`; `received` is the time as RFC 3339, and `id` the number by
    /// which a durable subscription's message is acknowledged.
    pub fn line(&self, received: &str, id: Option<i64>) -> Bytes {
        let text = std::str::from_utf8(&self.payload).ok();
        let line = Line {
            id,
            topic: &self.topic,
            payload: text,
            payload_base64: text.is_none().then(|| STANDARD.encode(&self.payload)),
            qos: self.qos,
            retained: self.retained,
            received,
            properties: &self.properties,
        };
        let mut json = serde_json::to_vec(&line).unwrap_or_default();
        json.push(b'\n');
        json.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_come_back_from_the_disk_as_they_were() {
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

    #[test]
    fn a_line_has_text_as_text_and_bytes_as_base64() {
        let received = |payload: &'static [u8]| Received {
            topic: "t".into(),
            payload: Bytes::from_static(payload),
            qos: Qos::AtLeastOnce,
            retained: false,
            properties: Properties::default(),
        };
        let line =
            |message: Received, id| String::from_utf8(message.line("2026-01-01T00:00:00Z", id).to_vec()).unwrap();
        assert_eq!(
            line(received(b"a\nb"), None),
            "{\"topic\":\"t\",\"payload\":\"a\\nb\",\"qos\":1,\"received\":\"2026-01-01T00:00:00Z\"}\n"
        );
        assert_eq!(
            line(received(b"\xff\x00"), Some(3)),
            "{\"id\":3,\"topic\":\"t\",\"payload_base64\":\"/wA=\",\"qos\":1,\"received\":\"2026-01-01T00:00:00Z\"}\n"
        );
    }
}
