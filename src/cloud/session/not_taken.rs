//! Counts the messages of AWS that no program and no durable subscription has taken, and logs them at most once an hour.

use std::time::Duration;

use log::Level;
use tokio::time::Instant;

use crate::event::{Event, journal};

/// Between two journal entries.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Number of messages that nobody has taken.
#[derive(Debug, Default)]
pub(super) struct NotTakenCount {
    total: u64,
    /// Number that the last journal entry included, and its time.
    logged: Option<(u64, Instant)>,
}

impl NotTakenCount {
    /// Counts a message on this topic.
    pub(super) fn add(&mut self, topic: &str) {
        self.total = self.total.saturating_add(1);
        let Some(more) = self.due(Instant::now()) else {
            return log::debug!("inbox: nobody has taken a message on {topic}, so it was refused to AWS");
        };
        let others = match more {
            0 | 1 => String::new(),
            more => format!(", nor {} others since the last such line", more - 1),
        };
        journal!(
            Level::Warn, Event::InboxNotTaken, TOPIC = topic;
            "inbox: no program and no durable subscription has taken a message on {topic}{others}; it was refused to AWS, which does not send it again"
        );
    }

    /// Returns how many messages the next journal entry includes, if it is due, and starts the next interval.
    fn due(&mut self, now: Instant) -> Option<u64> {
        let before = match self.logged {
            Some((_, at)) if now.saturating_duration_since(at) < INTERVAL => return None,
            logged => logged.map_or(0, |(total, _)| total),
        };
        self.logged = Some((self.total, now));
        Some(self.total - before)
    }

    /// Returns the number of such messages since the start.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_journal_has_the_first_message_at_once_and_the_number_of_the_others_an_hour_later() {
        let mut count = NotTakenCount::default();
        // Seconds since the message before, and how many messages the entry includes, if there is one.
        let cases = [
            (0, Some(1)),
            (1, None),
            (3598, None),
            (1, Some(3)),
            (3599, None),
            (7200, Some(2)),
        ];
        for (seconds, entry) in cases {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            count.total += 1;
            assert_eq!(count.due(Instant::now()), entry, "message {}", count.total);
        }
        count.add("t");
        assert_eq!(count.total(), 7);
    }
}
