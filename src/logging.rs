//! Logging: to the journal with structured fields under systemd, else to stderr; and the log level.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter};
use systemd_journal_logger::{JournalLog, connected_to_journal};

use crate::event::{Event, journal};

/// Says how much is logged: `off`, `error`, `warn`, `info`, `debug` or `trace`; anything else counts as `info`, the default.
pub const LEVEL_VARIABLE: &str = "GATEPOST_LOG";

/// Starts logging. What the libraries have to say is of interest only to whoever looks for a fault in them.
pub fn start() {
    let level = std::env::var(LEVEL_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(LevelFilter::Info);
    install();
    // Last: env_logger sets it as well. It is the only filter, so that it can be changed while the daemon runs.
    log::set_max_level(level);
}

fn install() {
    if connected_to_journal()
        && let Ok(journal) = JournalLog::new()
        && journal.with_syslog_identifier("gatepostd".into()).install().is_ok()
    {
        return;
    }
    // No second logger is ever installed, so this cannot fail.
    let _ = env_logger::Builder::new()
        .filter_level(LevelFilter::Trace)
        .format(|line, record| {
            writeln!(
                line,
                "gatepostd: {}: {}",
                record.level().as_str().to_lowercase(),
                record.args()
            )
        })
        .try_init();
}

/// The level of what is logged, which may be another one for a while.
#[derive(Debug)]
pub struct LogLevel {
    /// The level that the daemon was started with.
    usual: LevelFilter,
    temporary: RefCell<Temporary>,
}

#[derive(Debug, Default)]
struct Temporary {
    /// Counts the changes, so that an older one's end does not undo a newer one.
    changes: u64,
    /// When the usual level comes back.
    until: Option<Instant>,
}

/// A change of the level, by which its end is told from that of a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change(u64);

impl LogLevel {
    /// The level is as it was started with.
    pub fn new() -> Self {
        Self {
            usual: log::max_level(),
            temporary: RefCell::default(),
        }
    }

    /// The level that the daemon was started with.
    pub fn usual(&self) -> LevelFilter {
        self.usual
    }

    /// The level of this moment.
    pub fn current(&self) -> LevelFilter {
        log::max_level()
    }

    /// How long the current level lasts; `None` where it stays.
    pub fn remaining(&self) -> Option<Duration> {
        let until = self.temporary.borrow().until?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// Sets the level, for this long or until the daemon ends.
    pub fn set(&self, level: LevelFilter, lasting: Option<Duration>) -> Change {
        let mut temporary = self.temporary.borrow_mut();
        temporary.changes = temporary.changes.wrapping_add(1);
        temporary.until = lasting.and_then(|lasting| Instant::now().checked_add(lasting));
        log::set_max_level(level);
        Change(temporary.changes)
    }

    /// Brings the usual level back, unless it was changed again since `change`. Returns whether it did.
    pub fn end(&self, change: Change) -> bool {
        let is_last = self.temporary.borrow().changes == change.0;
        if is_last {
            self.set(self.usual, None);
        }
        is_last
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self::new()
    }
}

/// A panic ends the process, whichever thread or task it is in: the unit restarts it, and no half-dead wing lingers behind a
/// socket that looks healthy. The journal gets to know why.
pub fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        journal!(Level::Error, Event::Panic; "gatepostd has a fault and ends: {panic}");
        std::process::abort();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_older_change_does_not_undo_a_newer_one() {
        // The level is the whole process's, so only one test touches it.
        log::set_max_level(LevelFilter::Info);
        let level = LogLevel::new();
        let minute = Some(Duration::from_secs(60));
        assert_eq!((level.current(), level.remaining()), (LevelFilter::Info, None));
        let first = level.set(LevelFilter::Debug, minute);
        assert!(level.remaining() <= minute && level.remaining() > None);
        let second = level.set(LevelFilter::Trace, None);
        assert!(!level.end(first));
        assert_eq!((level.current(), level.remaining()), (LevelFilter::Trace, None));
        assert!(level.end(second));
        assert_eq!((level.current(), level.usual()), (LevelFilter::Info, LevelFilter::Info));
        assert!(!level.end(second), "once");
        // A time that no clock reaches is no end.
        level.set(LevelFilter::Warn, Some(Duration::MAX));
        assert_eq!((level.current(), level.remaining()), (LevelFilter::Warn, None));
        log::set_max_level(LevelFilter::Off);
    }
}
