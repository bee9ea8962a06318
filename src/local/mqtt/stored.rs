//! Tracks the stored messages of a session: their packet identifiers, and which of them may have been sent before.
//!
//! The packet identifier is derived from the number of the stored message, so it survives a restart without being stored (MQTT-4.4.0-1).
//! Messages are sent in the order of their numbers and are deleted when they are acknowledged. After a restart, therefore, only the oldest
//! messages, as many as may be in flight, can have been sent before.

/// Maximum number of messages in flight when an earlier run ended: the server's window.
const MAX_IN_FLIGHT: u32 = 100;

/// The stored messages of a session.
#[derive(Debug)]
pub(super) struct StoredMessages {
    /// Number of the last message that was sent on any connection; `None` if an earlier run had the last one.
    sent: Option<i64>,
    /// Number of the last message when the client connected.
    last: i64,
    /// Messages that were sent on this connection while it was unknown what had been sent before.
    resent: u32,
    /// Messages to delete: acknowledged, expired, or no longer subscribed to.
    pub(super) done: Vec<i64>,
}

impl StoredMessages {
    pub(super) fn new(sent: Option<i64>, last: i64) -> Self {
        Self {
            sent,
            last,
            resent: 0,
            done: Vec::new(),
        }
    }

    /// Returns whether the message may have been sent before.
    pub(super) fn is_sent(&self, number: i64) -> bool {
        match self.sent {
            Some(sent) => number <= sent,
            None => number <= self.last && self.resent < MAX_IN_FLIGHT,
        }
    }

    /// Records that the message was sent.
    pub(super) fn record_sent(&mut self, number: i64) {
        match &mut self.sent {
            Some(sent) => *sent = (*sent).max(number),
            None => {
                self.resent = self.resent.saturating_add(1);
                if number > self.last || self.resent >= MAX_IN_FLIGHT {
                    self.sent = Some(number);
                }
            }
        }
    }

    /// Returns the number of the last message that was sent, for the next connection.
    pub(super) fn watermark(&self) -> i64 {
        // If it is unknown what was sent before, the messages of that time are marked as duplicates once more.
        self.sent.unwrap_or(self.last)
    }
}

/// Returns the packet identifier of a stored message.
pub(super) fn packet_id(number: i64) -> u16 {
    let identifiers = i64::from(u16::MAX);
    u16::try_from((number - 1).rem_euclid(identifiers) + 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_identifiers_are_never_0_and_repeat_as_late_as_they_can() {
        for (number, id) in [
            (1, 1),
            (2, 2),
            (65_535, 65_535),
            (65_536, 1),
            (131_071, 1),
            (131_070, 65_535),
            (0, 65_535),
            (-1, 65_534),
        ] {
            assert_eq!(packet_id(number), id, "{number}");
        }
    }

    #[test]
    fn a_message_that_may_have_been_sent_before_is_marked_as_repeated() {
        // Within the same run the number is known exactly.
        let mut stored = StoredMessages::new(Some(5), 9);
        assert!(stored.is_sent(5) && !stored.is_sent(6));
        stored.record_sent(6);
        assert!(stored.is_sent(6) && !stored.is_sent(7));
        assert_eq!(stored.watermark(), 6);
        // After a restart, the messages stored before count as sent, up to the number that may be in flight.
        let mut stored = StoredMessages::new(None, 2);
        assert!(stored.is_sent(2) && !stored.is_sent(3));
        for number in 1..=3 {
            stored.record_sent(number);
        }
        assert!(!stored.is_sent(4));
        assert_eq!(stored.watermark(), 3);
        let mut stored = StoredMessages::new(None, 1000);
        for number in 1..=100 {
            assert!(stored.is_sent(number), "{number}");
            stored.record_sent(number);
        }
        assert!(!stored.is_sent(101));
        let unknown = StoredMessages::new(None, 7);
        assert_eq!(unknown.watermark(), 7);
    }
}
