//! Lines of the journal that a program can cause as fast as it likes.

use std::time::Duration;

use log::Level;
use tokio::time::Instant;

/// So many are written in [`PERIOD`], the others at level debug.
const LINES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(3600);

/// Lines of one kind.
#[derive(Debug, Default)]
pub(super) struct Few {
    written: u32,
    since: Option<Instant>,
}

impl Few {
    /// One more line: `write` is told the level, and what to say at its end.
    pub(super) fn one_more(&mut self, write: impl FnOnce(Level, &str)) {
        if self.since.is_none_or(|since| since.elapsed() >= PERIOD) {
            (self.written, self.since) = (0, Some(Instant::now()));
        }
        self.written = self.written.saturating_add(1);
        match self.written {
            ..LINES => write(Level::Warn, ""),
            LINES => write(Level::Warn, " (no more such lines for an hour)"),
            _ => write(Level::Debug, ""),
        }
    }
}
