//! The session of an MQTT client, as the database stores it with its durable subscription.

use serde::{Deserialize, Serialize};

use crate::qos::Qos;

/// The session of an MQTT client. Its messages are those of the durable subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionRecord {
    /// The client identifier.
    pub client_id: String,
    /// Seconds for which the session is kept after the connection; `u32::MAX` keeps it for ever.
    pub expiry: u32,
    /// When the connection ended, in milliseconds since 1970; `None` while there is one.
    pub left: Option<i64>,
    /// The subscriptions.
    pub filters: Vec<SessionFilter>,
}

/// A subscription of a session with its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionFilter {
    /// The topic filter.
    pub filter: String,
    /// Whether messages come at QoS 1. The database stores those.
    pub is_qos_1: bool,
    /// Whether the client's own messages are left out.
    pub no_local: bool,
    /// Whether messages keep the retain flag that they were published with.
    pub retain_as_published: bool,
    /// The retained messages that were sent when the subscription was made (MQTT 5.0, 3.8.3.1).
    pub retain_handling: u8,
    /// The subscription identifier.
    pub identifier: Option<u32>,
}

impl SessionFilter {
    /// Returns the quality of service.
    pub fn qos(&self) -> Qos {
        match self.is_qos_1 {
            true => Qos::AtLeastOnce,
            false => Qos::AtMostOnce,
        }
    }
}

impl SessionRecord {
    /// Encodes the session for the database.
    pub(in crate::messages) fn to_json(&self) -> String {
        // Strings, numbers and lists of them can always be serialised.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Decodes a session from the database. One that a newer version wrote differently has no subscriptions, until its client
    /// subscribes again.
    pub(in crate::messages) fn from_json(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// Adds a subscription, in the place of one with the same filter.
    pub(in crate::messages) fn set_filter(&mut self, filter: SessionFilter) {
        self.filters.retain(|known| known.filter != filter.filter);
        self.filters.push(filter);
    }

    /// Returns whether the session has ended at the time `now`, in milliseconds since 1970. A clock that was set back keeps it.
    pub(in crate::messages) fn has_expired(&self, now: i64) -> bool {
        let Some(left) = self.left.filter(|_| self.expiry != u32::MAX) else {
            return false;
        };
        now.saturating_sub(left) >= i64::from(self.expiry).saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_as_it_was_written_and_expires_when_it_should() {
        let mut record = SessionRecord {
            client_id: "c \"\u{e4}".into(),
            expiry: 60,
            left: Some(1_000_000),
            filters: Vec::new(),
        };
        for (filter, identifier) in [("a/#", Some(7)), ("b", None), ("a/#", Some(8))] {
            record.set_filter(SessionFilter {
                filter: filter.into(),
                is_qos_1: true,
                identifier,
                ..SessionFilter::default()
            });
        }
        assert_eq!(record.filters.len(), 2);
        assert_eq!(
            record.filters[1].identifier,
            Some(8),
            "the later one replaces the earlier one"
        );
        assert_eq!(SessionRecord::from_json(&record.to_json()), record);
        assert_eq!(SessionRecord::from_json("{\"later\":1}"), SessionRecord::default());
        assert_eq!(SessionRecord::from_json("no JSON"), SessionRecord::default());
        for (left, expiry, now, expired) in [
            (Some(1_000_000), 60, 1_059_999, false),
            (Some(1_000_000), 60, 1_060_000, true),
            (Some(1_000_000), 0, 1_000_000, true),
            (Some(1_000_000), 60, 0, false),
            (Some(1_000_000), u32::MAX, i64::MAX, false),
            (None, 60, i64::MAX, false),
        ] {
            let record = SessionRecord {
                left,
                expiry,
                ..SessionRecord::default()
            };
            assert_eq!(record.has_expired(now), expired, "{left:?} {expiry} {now}");
        }
    }
}
