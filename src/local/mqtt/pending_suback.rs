//! SUBACKs that wait for AWS.

use tokio::time::Instant;

use crate::mqtt::Granted;
use crate::qos::Qos;

/// A SUBSCRIBE that waits for AWS.
pub(super) struct PendingSuback {
    pub(super) packet_id: u16,
    pub(super) answers: Vec<Answer>,
    pub(super) words: Option<String>,
    /// Whether a subscription has Retain As Published.
    pub(super) wants_retain_flag: bool,
    pub(super) deadline: Instant,
}

/// The answer to one filter.
pub(super) enum Answer {
    Known(Granted),
    /// AWS has been asked for this filter; this quality of service is granted if it accepts.
    Awaited(String, Qos),
}

impl PendingSuback {
    /// Returns whether all answers are known.
    pub(super) fn is_complete(&self) -> bool {
        self.answers.iter().all(|answer| matches!(answer, Answer::Known(_)))
    }
}
