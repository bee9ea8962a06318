//! The reason why a request of an MQTT client is refused.

use crate::local::access::AccessDeniedError;
use crate::messages::{DurableSubscriptionError, SubmitError, SubscribeError};
use crate::mqtt::ReasonCode;
use crate::problem::Problem;

/// The reason why a request is refused: a code for the program, and a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason code.
    pub code: ReasonCode,
    /// The text: reason string in MQTT 5, and cause in the journal.
    pub words: String,
}

impl Refusal {
    /// Creates a refusal.
    pub fn new(code: ReasonCode, words: impl Into<String>) -> Self {
        let words = words.into();
        Self { code, words }
    }
}

impl From<AccessDeniedError> for Refusal {
    fn from(error: AccessDeniedError) -> Self {
        Self::new(ReasonCode::NOT_AUTHORIZED, error.message)
    }
}

impl From<SubmitError> for Refusal {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Full(problem) | SubmitError::DiskFull(problem) => {
                Self::new(ReasonCode::QUOTA_EXCEEDED, problem.message)
            }
            SubmitError::Unusable(problem) => Self::new(ReasonCode::UNSPECIFIED_ERROR, problem.message),
        }
    }
}

impl From<&Problem> for Refusal {
    fn from(problem: &Problem) -> Self {
        Self::new(ReasonCode::NOT_AUTHORIZED, problem.message.clone())
    }
}

impl From<SubscribeError> for Refusal {
    fn from(error: SubscribeError) -> Self {
        let quota = |words: String| Self::new(ReasonCode::QUOTA_EXCEEDED, words);
        match error {
            SubscribeError::Banned(remaining) => quota(format!(
                "this client was cut off because it did not read or acknowledge; it may subscribe again in {} s",
                remaining.as_secs() + 1
            )),
            SubscribeError::TooManyStreams(limit) => {
                quota(format!("one user may have {limit} subscriptions open at once"))
            }
            SubscribeError::TooManyFilters(limit) => quota(format!(
                "AWS IoT allows a gateway {limit} subscriptions, and its programs use all of them"
            )),
            SubscribeError::TooManyOfReader(limit) => quota(format!(
                "one user may have {limit} topic filters, half of what AWS IoT allows a gateway"
            )),
            SubscribeError::Durable(DurableSubscriptionError::TooMany(limit)) => quota(format!(
                "a gateway has at most {limit} durable subscriptions and sessions"
            )),
            SubscribeError::Durable(DurableSubscriptionError::TooManyOfAccount(limit)) => quota(format!(
                "one user or unit may have {limit} durable subscriptions and sessions"
            )),
            SubscribeError::Durable(DurableSubscriptionError::Owned) => {
                Self::new(ReasonCode::NOT_AUTHORIZED, "the session belongs to somebody else")
            }
            SubscribeError::Unusable(problem) => Self::new(ReasonCode::UNSPECIFIED_ERROR, problem.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The code is part of the interface: docs/mqtt.md lists it, and programs decide by it whether to try again.
    #[test]
    fn each_reason_has_its_code_and_a_text() {
        let problem = || Problem::wait("the disk is away");
        let durable = |error| Refusal::from(SubscribeError::Durable(error));
        for (refusal, code, words) in [
            (Refusal::from(SubmitError::Full(problem())), 0x97, "the disk is away"),
            (SubmitError::DiskFull(problem()).into(), 0x97, "the disk is away"),
            (SubmitError::Unusable(problem()).into(), 0x80, "the disk is away"),
            (Refusal::from(&problem()), 0x87, "the disk is away"),
            (
                SubscribeError::Banned(Duration::from_millis(1500)).into(),
                0x97,
                "again in 2 s",
            ),
            (SubscribeError::TooManyStreams(100).into(), 0x97, "100 subscriptions"),
            (SubscribeError::TooManyFilters(50).into(), 0x97, "50 subscriptions"),
            (SubscribeError::TooManyOfReader(25).into(), 0x97, "25 topic filters"),
            (
                durable(DurableSubscriptionError::TooMany(128)),
                0x97,
                "128 durable subscriptions",
            ),
            (
                durable(DurableSubscriptionError::TooManyOfAccount(16)),
                0x97,
                "may have 16 durable",
            ),
            (durable(DurableSubscriptionError::Owned), 0x87, "somebody else"),
            (SubscribeError::Unusable(problem()).into(), 0x80, "the disk is away"),
        ] {
            assert_eq!(refusal.code, ReasonCode(code), "{}", refusal.words);
            assert!(refusal.words.contains(words), "{}", refusal.words);
        }
    }
}
