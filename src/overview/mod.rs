//! The one verdict on the gateway: what all parts say together, as one state, one sentence, a list of problems and an exit code.
//!
//! `GET /v1/status`, `gatepost status`, `gatepost check`, the line that `systemctl status` shows, the journal's line about the
//! state, the metrics, the health report and the exit codes are all made from an [`Overview`]; nothing else judges.

mod expiry;
mod finding;
mod findings;
mod journal;
mod snapshot;
mod verdict;

pub use expiry::{Expiry, expiry_problem, left_in_words};
pub use finding::{Finding, IDENTIFIERS, Severity};
pub use journal::OverviewJournal;
pub use snapshot::Snapshot;
pub use verdict::{Overview, State, worst_exit};

#[cfg(test)]
mod tests;
