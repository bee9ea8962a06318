//! Why an attempt brought no certificate, for every method.

use std::time::Duration;

use crate::problem::Problem;

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The problem as people read it.
    pub problem: Problem,
    /// The issuer wants no request before this time is over.
    pub not_before: Option<Duration>,
}

/// Kinds of failures, on which the wait before the next attempt depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The issuer was not reached: the request has not been sent.
    Unreachable,
    /// The request was sent, and the connection broke before the answer was there.
    AnswerLost,
    /// The issuer answered that it cannot now, or answered nonsense.
    Unavailable,
    /// The issuer does not accept the credential.
    Unauthorized,
    /// The issuer has understood and refused, or the answer is of no use: somebody must change something.
    Refused,
}

impl Failure {
    /// Creates a failure after which the next attempt may be made at any time.
    pub(super) fn new(kind: FailureKind, problem: Problem) -> Self {
        Self {
            kind,
            problem,
            not_before: None,
        }
    }

    /// Creates the failure of an attempt for which something on this gateway is not ready yet.
    pub(super) fn not_ready(what: &str) -> Self {
        Self::new(FailureKind::Unreachable, Problem::wait(what))
    }

    /// Creates the failure of an attempt after which somebody must change something.
    pub(super) fn refused(problem: Problem) -> Self {
        Self::new(FailureKind::Refused, problem)
    }
}
