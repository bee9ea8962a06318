//! AWS IoT Core's limits. The current quotas page was not available, so unless another source is named, these are from the page "AWS IoT
//! Limits" of about 2020.

/// Maximum payload: "Maximum publish and connect payload 128 KB".
pub(crate) const MAX_PAYLOAD: usize = 128 * 1024;

/// Maximum Packet Size in CONNACK. The developer guide says "cannot exceed 128 KB"; this is the value that AWS was observed to send (js-v2
/// #535, mosquitto #3503): the maximum payload, and room for topic and properties.
pub(crate) const MAX_PACKET_SIZE: u32 = 149_504;

/// Maximum length of a packet that is read: the maximum payload and ample space for the header, so that a packet above the limits gets a
/// response.
pub(crate) const MAX_REMAINING_LENGTH: usize = MAX_PAYLOAD + 24 * 1024;

/// Maximum length of a topic, in bytes of UTF-8.
pub(crate) const MAX_TOPIC_BYTES: usize = 256;

/// Maximum number of slashes in a topic.
pub(crate) const MAX_TOPIC_SLASHES: usize = 7;

/// The prefix of Basic Ingest, which does not count (developer guide, iot-basic-ingest).
pub(crate) const BASIC_INGEST_PREFIX: &str = "$aws/rules/";

/// Maximum length of a client ID, in bytes of UTF-8.
pub(crate) const MAX_CLIENT_ID_BYTES: usize = 128;

/// Maximum number of filters in one SUBSCRIBE.
pub(crate) const MAX_FILTERS_PER_SUBSCRIBE: usize = 8;

/// Maximum number of subscriptions of one connection.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 50;

/// Maximum number of messages that one connection may publish per second ("inbound publish requests per second per connection 100", excess
/// is discarded).
pub(crate) const MAX_PUBLISHES_PER_SECOND: u32 = 100;

/// Maximum number of payload bytes that one connection may publish per second (excess is delayed).
pub(crate) const MAX_BYTES_PER_SECOND: usize = 512 * 1024;

/// Range of the message expiry in seconds (developer guide, mqtt). Values outside are moved to the nearest end.
pub(crate) const MESSAGE_EXPIRY: std::ops::RangeInclusive<u32> = 1..=604_800;

/// Range of the keep-alive in seconds: shorter becomes 30, longer and none become 1200.
pub(crate) const KEEP_ALIVE: std::ops::RangeInclusive<u16> = 30..=1200;

/// Maximum number of unacknowledged QoS 1 messages, in either direction.
pub(crate) const MAX_UNACKNOWLEDGED: u16 = 100;

/// Maximum number of topic aliases of one connection (developer guide, mqtt).
pub(crate) const MAX_TOPIC_ALIASES: u16 = 8;

/// Returns the keep-alive that AWS uses in place of the client's.
pub(crate) fn clamp_keep_alive(asked: u16) -> u16 {
    if asked == 0 {
        *KEEP_ALIVE.end()
    } else {
        asked.clamp(*KEEP_ALIVE.start(), *KEEP_ALIVE.end())
    }
}

/// Returns whether a topic or filter is within the limits.
pub(crate) fn topic_fits(topic: &str) -> bool {
    let topic = match topic
        .strip_prefix(BASIC_INGEST_PREFIX)
        .and_then(|rest| rest.split_once('/'))
    {
        Some((_rule, topic)) => topic,
        None => topic,
    };
    topic.len() <= MAX_TOPIC_BYTES && topic.bytes().filter(|byte| *byte == b'/').count() <= MAX_TOPIC_SLASHES
}

#[cfg(test)]
mod tests {
    use super::{clamp_keep_alive, topic_fits};

    #[test]
    fn keep_alive_is_clamped() {
        for (asked, granted) in [(0, 1200), (1, 30), (30, 30), (60, 60), (1200, 1200), (1201, 1200)] {
            assert_eq!(clamp_keep_alive(asked), granted);
        }
    }

    #[test]
    fn topics_are_measured_without_basic_ingest() {
        let longest = "a".repeat(256);
        for (topic, fits) in [
            (longest.as_str(), true),
            (&"a".repeat(257), false),
            (&"ß".repeat(129), false),
            ("1/2/3/4/5/6/7/8", true),
            ("1/2/3/4/5/6/7/8/9", false),
            (&format!("$aws/rules/mine/{longest}"), true),
        ] {
            assert_eq!(topic_fits(topic), fits, "{topic}");
        }
    }
}
