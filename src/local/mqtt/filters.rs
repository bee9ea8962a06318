//! The topic filters of a client, and which messages they bring it.

use tokio::time::Instant;

use super::own::OwnMessages;
use crate::messages::{Message, Received};
use crate::mqtt::{Match, Subscriptions};
use crate::qos::Qos;

/// The filters of a client. For those with No Local, also the client's messages that AWS may send back.
#[derive(Default)]
pub(super) struct ClientFilters {
    pub(super) subscriptions: Subscriptions,
    /// Set once there are some.
    pub(super) own: Option<Box<OwnMessages>>,
}

impl ClientFilters {
    /// Remembers a message that the client publishes, if a filter excludes its own messages.
    pub(super) fn remember_own(&mut self, message: &Message, qos: Qos, now: Instant) {
        if self.subscriptions.has_no_local(&message.topic) {
            let own = self.own.get_or_insert_default();
            own.add(&message.topic, &message.payload, qos, now);
        }
    }

    /// Returns whether the message is one that this client published and AWS sends back. This matters only to filters with No Local.
    pub(super) fn is_own(&mut self, message: &Received, now: Instant) -> bool {
        let Some(own) = self.own.as_mut().filter(|_| !message.retained) else {
            return false;
        };
        self.subscriptions.has_no_local(&message.topic) && own.contains(&message.topic, &message.payload, now)
    }

    /// Forgets a message of the client that has come back.
    pub(super) fn forget_own(&mut self, message: &Received) {
        if let Some(own) = &mut self.own {
            own.take(&message.topic, &message.payload);
        }
    }

    /// Returns how the client receives a message; `None` if no filter matches.
    pub(super) fn find(&self, message: &Received, is_own: bool) -> Option<Match> {
        self.subscriptions.matching(&message.topic, message.qos, false, is_own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::packet::SubscriptionOptions;

    fn received(topic: &str, payload: &'static [u8], retained: bool) -> Received {
        Received {
            topic: topic.to_owned(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retained,
            ..Received::default()
        }
    }

    fn published(topic: &str, payload: &'static [u8]) -> Message {
        Message {
            topic: topic.to_owned(),
            payload: payload.into(),
            ..Message::default()
        }
    }

    #[test]
    fn only_no_local_filters_keep_a_clients_own_messages_from_it_and_each_once() {
        let now = Instant::now();
        let mut filters = ClientFilters::default();
        let no_local = SubscriptionOptions {
            no_local: true,
            qos: Qos::AtLeastOnce,
            ..SubscriptionOptions::default()
        };
        filters.subscriptions.insert("bridge/#".to_owned(), no_local, None);
        let plain = SubscriptionOptions::default();
        filters.subscriptions.insert("plain/#".to_owned(), plain, None);
        // A message that no such filter matches is not remembered.
        filters.remember_own(&published("plain/a", b"1"), Qos::AtLeastOnce, now);
        assert!(filters.own.is_none());
        filters.remember_own(&published("bridge/a", b"1"), Qos::AtLeastOnce, now);
        for (message, is_own) in [
            (received("plain/a", b"1", false), false),
            (received("bridge/a", b"2", false), false),
            (received("bridge/b", b"1", false), false),
            (received("bridge/a", b"1", true), false),
            (received("bridge/a", b"1", false), true),
        ] {
            assert_eq!(filters.is_own(&message, now), is_own, "{message:?}");
            assert_eq!(filters.find(&message, is_own).is_none(), is_own, "{message:?}");
        }
        let message = received("bridge/a", b"1", false);
        filters.forget_own(&message);
        assert!(!filters.is_own(&message, now), "an equal message of another client");
        // The filter may have ended meanwhile.
        filters.remember_own(&published("bridge/a", b"1"), Qos::AtLeastOnce, now);
        filters.subscriptions.remove("bridge/#");
        assert!(!filters.is_own(&message, now) && filters.find(&message, false).is_none());
    }
}
