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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::ReasonCode;

    #[test]
    fn a_suback_is_complete_once_no_filter_waits_for_aws() {
        let granted = || Answer::Known(Ok(Qos::AtLeastOnce));
        let refused = || Answer::Known(Err(ReasonCode::NOT_AUTHORIZED));
        let awaited = || Answer::Awaited("a".to_owned(), Qos::AtMostOnce);
        for (answers, expected) in [
            (vec![], true),
            (vec![granted()], true),
            (vec![refused()], true),
            (vec![granted(), refused()], true),
            (vec![awaited()], false),
            (vec![granted(), awaited()], false),
            (vec![awaited(), refused()], false),
        ] {
            let suback = PendingSuback {
                packet_id: 1,
                answers,
                words: None,
                wants_retain_flag: false,
                deadline: Instant::now(),
            };
            assert_eq!(suback.is_complete(), expected, "{} answers", suback.answers.len());
        }
    }
}
