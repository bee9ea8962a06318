//! The packets of a client that wait for the server's answer.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// Maximum number of packet identifiers in use. There are few besides those of messages (SUBSCRIBE and UNSUBSCRIBE in progress), and the
/// limit makes sure that the search for a free identifier ends.
const MAX_IN_FLIGHT: usize = 32_768;

/// A packet that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Publish,
    /// A SUBSCRIBE with this number of filters.
    Subscribe(usize),
    /// An UNSUBSCRIBE with this number of filters.
    Unsubscribe(usize),
}

/// The packets in flight, by packet identifier.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    packets: BTreeMap<u16, (Sent, Instant)>,
    /// The number of messages among them.
    publishes: usize,
    last_id: u16,
    /// The number of answers that nothing has waited for.
    pub(super) unexpected: u64,
}

impl InFlight {
    /// Returns a packet identifier that is not in use; `None` if too many are.
    pub(super) fn free_id(&mut self) -> Option<u16> {
        if self.packets.len() >= MAX_IN_FLIGHT {
            return None;
        }
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.packets.contains_key(&self.last_id) {
                return Some(self.last_id);
            }
        }
    }

    /// Records a packet that was sent.
    pub(super) fn begin(&mut self, packet_id: u16, sent: Sent, now: Instant) {
        self.publishes += usize::from(sent == Sent::Publish);
        self.packets.insert(packet_id, (sent, now));
    }

    /// Returns the packet that is answered, and removes it. An answer that nothing waits for is counted.
    pub(super) fn end(&mut self, packet_id: u16, is: impl Fn(Sent) -> bool) -> Option<Sent> {
        match self.packets.get(&packet_id) {
            Some((sent, _)) if is(*sent) => {
                let (sent, _) = self.packets.remove(&packet_id)?;
                self.publishes -= usize::from(sent == Sent::Publish);
                Some(sent)
            }
            _ => {
                self.unexpected += 1;
                None
            }
        }
    }

    /// Returns the number of messages.
    pub(super) fn publishes(&self) -> usize {
        self.publishes
    }

    /// Returns when the oldest packet was sent.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.packets.values().map(|(_, at)| *at).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn packet_identifiers_are_not_used_twice_at_a_time_and_never_0() {
        let (mut all, now) = (InFlight::default(), Instant::now());
        for expected in 1..=3 {
            assert_eq!(all.free_id(), Some(expected));
            all.begin(expected, Sent::Publish, now);
        }
        assert!(all.end(2, |_| true).is_some());
        assert_eq!(all.free_id(), Some(4), "2 is used again as late as possible");
        all.last_id = u16::MAX;
        assert_eq!(all.free_id(), Some(2), "1 is in use");
        for id in 1..=32_768 {
            all.begin(id, Sent::Subscribe(1), now);
        }
        assert_eq!(all.free_id(), None);
    }

    #[test]
    fn an_answer_ends_the_packet_of_its_kind_once() {
        let (mut all, now) = (InFlight::default(), Instant::now());
        all.begin(1, Sent::Publish, now + Duration::from_secs(1));
        all.begin(2, Sent::Subscribe(2), now);
        assert_eq!((all.publishes(), all.oldest()), (1, Some(now)));
        assert_eq!(all.end(1, |sent| sent != Sent::Publish), None);
        assert_eq!(all.end(3, |_| true), None);
        assert_eq!(all.end(2, |sent| sent == Sent::Subscribe(2)), Some(Sent::Subscribe(2)));
        assert_eq!((all.publishes(), all.oldest()), (1, Some(now + Duration::from_secs(1))));
        assert_eq!(all.end(1, |sent| sent == Sent::Publish), Some(Sent::Publish));
        assert_eq!(all.end(1, |sent| sent == Sent::Publish), None);
        assert_eq!((all.publishes(), all.oldest(), all.unexpected), (0, None, 3));
    }
}
