//! The subscriptions of one session, and which of them match a message.

use std::collections::BTreeMap;

use super::packet::{RetainHandling, SubscriptionOptions};
use crate::qos::Qos;
use crate::topic;

/// The subscriptions of one session, by filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions(BTreeMap<String, Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    options: SubscriptionOptions,
    identifier: Option<u32>,
}

/// The single copy of a message that a session receives, however many of its subscriptions match (MQTT 5.0, 3.3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The QoS: the message's own, but no higher than the highest that was granted (MQTT-3.3.4-2).
    pub qos: Qos,
    /// The retain flag: as published if a subscription requests that, else clear (MQTT-3.3.1-12, -13).
    pub retain: bool,
    /// The identifiers of all matching subscriptions (MQTT-3.3.4-4).
    pub identifiers: Vec<u32>,
}

impl Subscriptions {
    /// Returns whether SUBSCRIBE with this filter requests retained messages (MQTT-3.8.4-4).
    pub fn wants_retained(&self, filter: &str, handling: RetainHandling) -> bool {
        match handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => !self.0.contains_key(filter),
            RetainHandling::DoNotSend => false,
        }
    }

    /// Adds a subscription with the QoS that was granted, replacing one with the same filter (MQTT-3.8.4-3).
    pub fn insert(&mut self, filter: String, options: SubscriptionOptions, identifier: Option<u32>) {
        self.0.insert(filter, Entry { options, identifier });
    }

    /// Removes the subscription with exactly this filter. Returns false if there is none (MQTT-3.10.4-1).
    pub fn remove(&mut self, filter: &str) -> bool {
        self.0.remove(filter).is_some()
    }

    /// Returns the filters.
    pub fn filters(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns whether a matching subscription excludes the client's own messages.
    pub fn has_no_local(&self, topic: &str) -> bool {
        let mut entries = self.0.iter().filter(|(_, entry)| entry.options.no_local);
        entries.any(|(filter, _)| topic::matches(filter, topic))
    }

    /// Returns how the session receives a message; `None` if no subscription matches, or only those that exclude the client's own messages.
    pub fn matching(&self, topic: &str, qos: Qos, retain: bool, is_own: bool) -> Option<Match> {
        let entries = self
            .0
            .iter()
            .filter(|(filter, entry)| topic::matches(filter, topic) && !(is_own && entry.options.no_local))
            .map(|(_, entry)| entry);
        entries.fold(None, |found, entry| {
            let granted = entry.options.qos.min(qos);
            let mut found = found.unwrap_or(Match {
                qos: granted,
                retain: false,
                identifiers: Vec::new(),
            });
            found.qos = found.qos.max(granted);
            found.retain |= retain && entry.options.retain_as_published;
            found.identifiers.extend(entry.identifier);
            Some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(qos: Qos) -> SubscriptionOptions {
        SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        }
    }

    fn found(qos: Qos, retain: bool, identifiers: &[u32]) -> Option<Match> {
        Some(Match {
            qos,
            retain,
            identifiers: identifiers.to_vec(),
        })
    }

    #[test]
    fn overlapping_subscriptions_give_one_copy() {
        let mut all = Subscriptions::default();
        all.insert("a/#".into(), options(Qos::AtMostOnce), Some(1));
        all.insert("a/+".into(), options(Qos::AtLeastOnce), None);
        let keeps_flag = SubscriptionOptions {
            retain_as_published: true,
            no_local: true,
            ..options(Qos::AtMostOnce)
        };
        all.insert("a/b".into(), keeps_flag, Some(3));
        let (zero, one) = (Qos::AtMostOnce, Qos::AtLeastOnce);
        for (topic, qos, retain, is_own, expected) in [
            ("a/b", one, true, false, found(one, true, &[1, 3])),
            ("a/b", one, false, false, found(one, false, &[1, 3])),
            ("a/b", zero, true, false, found(zero, true, &[1, 3])),
            ("a/b", one, true, true, found(one, false, &[1])),
            ("a/c", one, true, false, found(one, false, &[1])),
            ("a/b/c", one, true, false, found(zero, false, &[1])),
            ("b", one, true, false, None),
            ("$aws/a/b", one, false, false, None),
        ] {
            assert_eq!(
                all.matching(topic, qos, retain, is_own),
                expected,
                "{topic} {qos:?} {retain} {is_own}"
            );
        }
        assert!(all.remove("a/#") && !all.remove("a/#") && !all.remove("a"));
        assert_eq!(all.filters().collect::<Vec<_>>(), ["a/+", "a/b"]);
        assert!(all.remove("a/+"));
        assert_eq!(all.matching("a/b", one, false, true), None, "only No Local is left");
    }

    #[test]
    fn retained_messages_are_sent_as_the_options_say() {
        let with = |retain_handling| SubscriptionOptions {
            retain_handling,
            ..SubscriptionOptions::default()
        };
        let mut all = Subscriptions::default();
        for (filter, handling, sent) in [
            ("a", RetainHandling::Send, true),
            ("a", RetainHandling::Send, true),
            ("a", RetainHandling::SendIfNew, false),
            ("b", RetainHandling::SendIfNew, true),
            ("b", RetainHandling::SendIfNew, false),
            ("c", RetainHandling::DoNotSend, false),
        ] {
            assert_eq!(all.wants_retained(filter, handling), sent, "{filter} {handling:?}");
            all.insert(filter.into(), with(handling), None);
        }
    }
}
