//! AWS IoT Core's limits. The quotas page of today could not be read; these are the "AWS IoT Limits" page of about
//! 2020 unless another source is named.

/// The longest payload: "Maximum publish and connect payload 128 KB".
pub(crate) const MAX_PAYLOAD: usize = 128 * 1024;

/// MaximumPacketSize in CONNACK. The developer guide says "cannot exceed 128 KB"; what AWS sends was seen to be this (js-v2
/// #535, mosquitto #3503): the longest payload, and room for topic and properties.
pub(crate) const MAX_PACKET_SIZE: u32 = 149_504;

/// The longest packet that is read: the longest payload and ample space for the header, so that a packet above the limits
/// gets a response.
pub(crate) const MAX_REMAINING_LENGTH: usize = MAX_PAYLOAD + 24 * 1024;

/// The longest topic, in bytes of UTF-8.
pub(crate) const MAX_TOPIC_BYTES: usize = 256;

/// The most slashes in a topic.
pub(crate) const MAX_TOPIC_SLASHES: usize = 7;

/// Basic Ingest's prefix does not count (developer guide, iot-basic-ingest).
pub(crate) const BASIC_INGEST_PREFIX: &str = "$aws/rules/";

/// The longest client ID, in bytes of UTF-8.
pub(crate) const MAX_CLIENT_ID_BYTES: usize = 128;

/// The most filters in one SUBSCRIBE.
pub(crate) const MAX_FILTERS_PER_SUBSCRIBE: usize = 8;

/// The most subscriptions of one connection.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 50;

/// The most messages that one connection may publish in a second ("inbound publish requests per second per connection
/// 100", excess is discarded).
pub(crate) const MAX_PUBLISHES_PER_SECOND: u32 = 100;

/// The most bytes of payload that one connection may publish in a second (excess is delayed).
pub(crate) const MAX_BYTES_PER_SECOND: usize = 512 * 1024;

/// Message expiry in seconds (developer guide, mqtt); what is outside is put to the nearest end.
pub(crate) const MESSAGE_EXPIRY: std::ops::RangeInclusive<u32> = 1..=604_800;

/// Keep-alive in seconds: shorter becomes 30, longer and none become 1200.
pub(crate) const KEEP_ALIVE: std::ops::RangeInclusive<u16> = 30..=1200;

/// The most unacknowledged QoS 1 messages, in either direction.
pub(crate) const MAX_UNACKNOWLEDGED: u16 = 100;

/// The most topic aliases of one connection (developer guide, mqtt).
pub(crate) const MAX_TOPIC_ALIASES: u16 = 8;

/// Returns the keep-alive that AWS uses in place of the client's.
pub(crate) fn clamp_keep_alive(asked: u16) -> u16 {
    if asked == 0 {
        *KEEP_ALIVE.end()
    } else {
        asked.clamp(*KEEP_ALIVE.start(), *KEEP_ALIVE.end())
    }
}

/// Whether a topic or filter keeps to the limits.
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
