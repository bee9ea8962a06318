//! Bans readers that were cut off because they did not read. A reader that subscribes again at once would block the messages
//! of all programs once more, until it is cut off again.

use std::collections::BTreeMap;
use std::time::Duration;

/// The first ban; each further one is twice as long.
const SHORTEST: Duration = Duration::from_secs(10);
/// The longest ban.
const LONGEST: Duration = Duration::from_secs(600);
/// A reader that was not cut off for this long after its ban starts with the shortest ban again.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// Readers that are remembered; beyond that, those whose bans end first are forgotten.
const MAX_READERS: usize = 256;

/// Banned readers, by the boottime clock.
#[derive(Debug, Default)]
pub(super) struct ReaderBans(BTreeMap<String, Ban>);

#[derive(Debug)]
struct Ban {
    until: Duration,
    length: Duration,
}

impl ReaderBans {
    /// Returns how long the reader is still banned.
    pub(super) fn remaining(&self, reader: &str, now: Duration) -> Option<Duration> {
        let until = self.0.get(reader)?.until;
        (until > now).then(|| until - now)
    }

    /// Bans a reader that was cut off. Several streams of a reader that are cut off at once count as one.
    pub(super) fn add(&mut self, reader: &str, now: Duration) {
        self.0.retain(|_, ban| now < ban.until + FORGET_AFTER);
        if self.remaining(reader, now).is_some() {
            return;
        }
        let before = self.0.get(reader).map(|ban| ban.length);
        let length = before.map_or(SHORTEST, |length| (2 * length).min(LONGEST));
        let until = now + length;
        self.0.insert(reader.to_owned(), Ban { until, length });
        while self.0.len() > MAX_READERS {
            let first = self.0.iter().min_by_key(|(_, ban)| ban.until);
            let Some(first) = first.map(|(reader, _)| reader.clone()) else {
                break;
            };
            self.0.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_reader_that_is_cut_off_again_is_banned_for_longer() {
        let mut bans = ReaderBans::default();
        let mut now = seconds(1000);
        for length in [10, 20, 40, 80, 160, 320, 600, 600] {
            assert_eq!(bans.remaining("uid 1", now), None);
            bans.add("uid 1", now);
            assert_eq!(bans.remaining("uid 1", now), Some(seconds(length)));
            // Its other streams are cut off at the same moment.
            bans.add("uid 1", now);
            assert_eq!(bans.remaining("uid 1", now), Some(seconds(length)));
            assert_eq!(bans.remaining("uid 2", now), None, "no other reader is banned");
            now += seconds(length);
        }
        // Once it has read for a while, it starts with the shortest ban again.
        now += FORGET_AFTER;
        bans.add("uid 1", now);
        assert_eq!(bans.remaining("uid 1", now), Some(SHORTEST));
    }

    #[test]
    fn the_number_of_bans_is_bounded() {
        let mut bans = ReaderBans::default();
        for reader in 0..10_000 {
            bans.add(&format!("uid {reader}"), seconds(reader / 1000));
        }
        assert_eq!(bans.0.len(), MAX_READERS);
        assert!(bans.remaining("uid 9999", seconds(9)).is_some());
    }
}
