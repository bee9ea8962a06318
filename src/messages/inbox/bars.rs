//! Readers that were cut off because they did not read are barred for a while: one that subscribes again at once would hold up
//! everybody's messages once more, for as long as it takes to be cut again.

use std::collections::BTreeMap;
use std::time::Duration;

/// The first bar; each further one is twice as long.
const SHORTEST: Duration = Duration::from_secs(10);
/// The longest bar.
const LONGEST: Duration = Duration::from_secs(600);
/// A reader that was not cut for so long after its bar begins with the first bar again.
const FORGIVEN: Duration = Duration::from_secs(600);
/// Readers that are remembered; beyond them, those whose bars end first are forgotten.
const MOST: usize = 256;

/// Who is barred, by the boottime clock.
#[derive(Debug, Default)]
pub(super) struct Bars(BTreeMap<String, Bar>);

#[derive(Debug)]
struct Bar {
    until: Duration,
    length: Duration,
}

impl Bars {
    /// How long the reader is still barred.
    pub(super) fn left(&self, reader: &str, now: Duration) -> Option<Duration> {
        let until = self.0.get(reader)?.until;
        (until > now).then(|| until - now)
    }

    /// The reader was cut off. Several of its streams that are cut at once count as one.
    pub(super) fn add(&mut self, reader: &str, now: Duration) {
        self.0.retain(|_, bar| now < bar.until + FORGIVEN);
        if self.left(reader, now).is_some() {
            return;
        }
        let before = self.0.get(reader).map(|bar| bar.length);
        let length = before.map_or(SHORTEST, |length| (2 * length).min(LONGEST));
        let until = now + length;
        self.0.insert(reader.to_owned(), Bar { until, length });
        while self.0.len() > MOST {
            let first = self.0.iter().min_by_key(|(_, bar)| bar.until);
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
    fn who_is_cut_again_is_barred_for_longer() {
        let mut bars = Bars::default();
        let mut now = seconds(1000);
        for length in [10, 20, 40, 80, 160, 320, 600, 600] {
            assert_eq!(bars.left("uid 1", now), None);
            bars.add("uid 1", now);
            assert_eq!(bars.left("uid 1", now), Some(seconds(length)));
            // Its other streams, cut in the same moment.
            bars.add("uid 1", now);
            assert_eq!(bars.left("uid 1", now), Some(seconds(length)));
            assert_eq!(bars.left("uid 2", now), None, "nobody else is");
            now += seconds(length);
        }
        // Once it has read for a while, it begins anew.
        now += FORGIVEN;
        bars.add("uid 1", now);
        assert_eq!(bars.left("uid 1", now), Some(SHORTEST));
    }

    #[test]
    fn bars_take_a_bounded_memory() {
        let mut bars = Bars::default();
        for reader in 0..10_000 {
            bars.add(&format!("uid {reader}"), seconds(reader / 1000));
        }
        assert_eq!(bars.0.len(), MOST);
        assert!(bars.left("uid 9999", seconds(9)).is_some());
    }
}
