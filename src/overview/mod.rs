//! The verdict on the whole gateway: one state, one sentence, a list of problems and an exit code, derived from the status of all parts.
//!
//! `GET /v1/status`, `gatepost status`, `gatepost check`, the status line of `systemctl status`, the line about the state in the journal,
//! the metrics, the health report and the exit codes are all derived from an [`Overview`], so that they agree.

mod expiry;
mod finding;
mod findings;
mod journal;
mod snapshot;
mod verdict;

pub use expiry::{Expiry, expiry_problem, remaining_text};
pub use finding::{Finding, IDENTIFIERS, Severity};
pub use journal::OverviewJournal;
pub use snapshot::Snapshot;
pub use verdict::{Overview, State, worst_exit};

#[cfg(test)]
mod tests;
