//! The failure of an attempt, for every method.

use std::time::Duration;

use crate::problem::Problem;

/// The failure of an attempt to get a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The problem, for people.
    pub problem: Problem,
    /// How long the issuer asks to wait before the next request (`Retry-After`, RFC 9110, 10.2.3).
    pub retry_after: Option<Duration>,
}

/// Kinds of failures, which determine the wait before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The issuer was not reached; the request was not sent.
    Unreachable,
    /// The request was sent, but the connection broke before the answer arrived.
    AnswerLost,
    /// The issuer answered that it is unavailable, or its answer was malformed.
    Unavailable,
    /// The issuer does not accept the credential.
    Unauthorized,
    /// The issuer has understood and refused the request, or its answer is unusable: somebody must change something.
    Refused,
}

impl Failure {
    /// Creates a failure after which the next attempt may be made at any time.
    pub(super) fn new(kind: FailureKind, problem: Problem) -> Self {
        Self {
            kind,
            problem,
            retry_after: None,
        }
    }

    /// Creates the failure of an attempt that cannot be made yet, because something on this gateway is not ready.
    pub(super) fn not_ready(what: &str) -> Self {
        Self::new(FailureKind::Unreachable, Problem::wait(what))
    }

    /// Creates the failure of an attempt after which somebody must change something.
    pub(super) fn refused(problem: Problem) -> Self {
        Self::new(FailureKind::Refused, problem)
    }
}
