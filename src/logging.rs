//! Where log lines go: the journal with structured fields under systemd, else stderr.

use std::io::Write as _;

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
    log::set_max_level(level);
    if connected_to_journal()
        && let Ok(journal) = JournalLog::new()
        && journal.with_syslog_identifier("gatepostd".into()).install().is_ok()
    {
        return;
    }
    // No second logger is ever installed, so this cannot fail.
    let _ = env_logger::Builder::new()
        .filter_level(level)
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

/// A panic ends the process, whichever thread or task it is in: the unit restarts it, and no half-dead wing lingers behind a
/// socket that looks healthy. The journal gets to know why.
pub fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        journal!(Level::Error, Event::Panic; "gatepostd has a fault and ends: {panic}");
        std::process::abort();
    }));
}
