//! Logging to the journal with structured fields under systemd, otherwise to stderr; and the log level.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter};
use systemd_journal_logger::{JournalLog, connected_to_journal};

use crate::event::{Event, journal};

/// Environment variable with the log level: `off`, `error`, `warn`, `info`, `debug` or `trace`. Any other value counts as `info`, the
/// default.
pub const LEVEL_VARIABLE: &str = "GATEPOST_LOG";

/// Starts logging.
pub fn start() {
    let level = std::env::var(LEVEL_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(LevelFilter::Info);
    install();
    // After `install`, because env_logger sets the level as well. This is the only filter, so that the level can be changed later.
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

/// The log level, which can be changed temporarily.
#[derive(Debug)]
pub struct LogLevel {
    /// The level that the daemon was started with.
    usual: LevelFilter,
    temporary: RefCell<Temporary>,
}

#[derive(Debug, Default)]
struct Temporary {
    /// Number of changes. It keeps the end of an older change from undoing a newer one.
    changes: u64,
    /// When the usual level is restored.
    until: Option<Instant>,
}

/// Identifies a change of the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change(u64);

impl LogLevel {
    /// Takes the current level as the usual one.
    pub fn new() -> Self {
        Self {
            usual: log::max_level(),
            temporary: RefCell::default(),
        }
    }

    /// Returns the level that the daemon was started with.
    pub fn usual(&self) -> LevelFilter {
        self.usual
    }

    /// Returns the current level.
    pub fn current(&self) -> LevelFilter {
        log::max_level()
    }

    /// Returns how long the current level remains in effect; `None` if it is not temporary.
    pub fn remaining(&self) -> Option<Duration> {
        let until = self.temporary.borrow().until?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// Sets the level for this duration, or until the daemon ends.
    pub fn set(&self, level: LevelFilter, lasting: Option<Duration>) -> Change {
        let mut temporary = self.temporary.borrow_mut();
        temporary.changes = temporary.changes.wrapping_add(1);
        temporary.until = lasting.and_then(|lasting| Instant::now().checked_add(lasting));
        log::set_max_level(level);
        Change(temporary.changes)
    }

    /// Restores the usual level, unless the level was changed again since `change`. Returns whether it was restored.
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

/// Makes a panic in any thread or task log its cause and end the process, which systemd restarts. Otherwise a daemon that has lost a
/// thread would keep a socket that looks healthy.
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
        // The level is global to the process, so only this test changes it.
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
        assert!(!level.end(second), "only once");
        // A time that the clock cannot represent is no end.
        level.set(LevelFilter::Warn, Some(Duration::MAX));
        assert_eq!((level.current(), level.remaining()), (LevelFilter::Warn, None));
        log::set_max_level(LevelFilter::Off);
    }
}
