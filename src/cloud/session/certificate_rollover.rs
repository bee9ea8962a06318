//! The trial of a new certificate beside one that AWS accepts.
//!
//! The new certificate is tried on a connection of its own while the connection with the old one goes on. If both have the same
//! client ID, AWS closes the old connection when it accepts the new one, and the session continues there. A certificate that AWS
//! refuses thus costs neither the session nor, after a restart, the gateway's access.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::outage::{FAILURE_LIMIT, FailureKind};
use crate::cloud::mqtt::{ConnectError, Connection, Terms};
use crate::failure_streak::FailureStreak;
use crate::identity::Identity;
use crate::problem::Problem;

/// Longest wait for CONNACK of the trial after AWS has closed the old connection.
const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(2);

/// Time between attempts with the two certificates: AWS limits CONNECTs of a client ID to one per second, in practice to one in ten
/// seconds (aws-greengrass-nucleus PR #1003).
pub(super) const ALTERNATION_INTERVAL: Duration = Duration::from_secs(10);

type Opened = Result<(Connection, Terms), ConnectError>;
type Opening = Pin<Box<dyn Future<Output = Opened> + Send>>;

/// The candidate for the next certificate, and the state of its trials.
pub struct CertificateRollover {
    candidate: Option<Arc<Identity>>,
    trial: Option<Trial>,
    not_before: Instant,
    /// Whether the next trial has no will. AWS may refuse a connection because of its will, so trials alternate.
    without_will: bool,
    /// Whether the newest certificate makes the next attempt, because its predecessor could not connect.
    is_its_turn: bool,
    /// Whether the predecessor has failed to connect since AWS last accepted one of the two.
    predecessor_failed: bool,
    /// Failed trials since AWS last accepted one, or since the certificate changed.
    failures: FailureStreak<FailureKind>,
    /// Whether a trial was under way when the last connection ended, so that AWS may have ended it because of the trial.
    was_tried: bool,
}

struct Trial {
    candidate: Arc<Identity>,
    opening: Opening,
}

impl std::fmt::Debug for CertificateRollover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateRollover")
            .field("candidate", &self.candidate)
            .finish_non_exhaustive()
    }
}

/// An open connection, and the identity that AWS has accepted for it.
pub(super) struct Connected {
    pub(super) connection: Connection,
    pub(super) terms: Terms,
    pub(super) identity: Arc<Identity>,
}

impl CertificateRollover {
    /// Creates the state without a candidate.
    pub fn none() -> Self {
        Self {
            candidate: None,
            trial: None,
            not_before: Instant::now(),
            without_will: false,
            is_its_turn: false,
            predecessor_failed: false,
            failures: FailureStreak::new(FAILURE_LIMIT),
            was_tried: false,
        }
    }

    /// Returns the candidate.
    pub(super) fn candidate(&self) -> Option<Arc<Identity>> {
        self.candidate.clone()
    }

    /// Sets or removes the candidate.
    pub(super) fn set_candidate(&mut self, candidate: Option<Arc<Identity>>) {
        self.candidate = candidate;
    }

    /// Returns when a trial may start. The future borrows nothing.
    pub(super) fn due(&self) -> impl Future<Output = ()> + use<> {
        let at = (self.candidate.is_some() && self.trial.is_none()).then_some(self.not_before);
        async move {
            match at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        }
    }

    /// Starts a trial.
    pub(super) fn start(&mut self, candidate: Arc<Identity>, opening: Opening) {
        self.trial = Some(Trial { candidate, opening });
    }

    /// Returns whether a candidate waits for its trial.
    pub(super) fn is_waiting(&self) -> bool {
        self.candidate.is_some() && self.trial.is_none()
    }

    /// Returns the outcome of the trial under way. Cancel safe.
    pub(super) async fn opened(&mut self) -> (Arc<Identity>, Opened) {
        let Some(Trial { candidate, opening }) = &mut self.trial else {
            return pending().await;
        };
        let opened = (candidate.clone(), opening.await);
        self.trial = None;
        opened
    }

    /// Returns whether a trial is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.trial.is_some()
    }

    /// Ends the trial under way when the connection has ended. Returns its outcome, if it is known soon.
    pub(super) async fn decided(&mut self) -> Option<(Arc<Identity>, Opened)> {
        self.was_tried = self.trial.is_some();
        let Trial { candidate, opening } = self.trial.take()?;
        Some((candidate, timeout(TAKEOVER_TIMEOUT, opening).await.ok()?))
    }

    /// Returns whether our own trial may have taken over the connection that ended last.
    pub(super) fn may_have_taken_over(&self) -> bool {
        self.was_tried
    }

    /// Returns the problem of a failed trial. AWS accepts the old certificate meanwhile, so a new one that was never accepted and
    /// fails in the same way again and again will not heal by itself.
    pub(super) fn judge(&mut self, error: &ConnectError, problem: Problem) -> Problem {
        self.failures.fail(error.into()).judge(
            problem,
            "check whether a proxy or another broker answers in AWS's place, and whether the new certificate is ACTIVE, attached \
             to the thing and allowed to connect",
        )
    }

    /// Returns whether the next trial has a will.
    pub(super) fn uses_will(&self) -> bool {
        !self.without_will
    }

    /// Makes the next trial with a will if the last one had none, and the other way round.
    pub(super) fn toggle_will(&mut self) {
        self.without_will = !self.without_will;
    }

    /// Schedules the next trial.
    pub(super) fn wait_until(&mut self, at: Instant) {
        self.not_before = at;
    }

    /// Delays the next trial until `at`, if it is scheduled for an earlier time.
    pub(super) fn wait_at_least_until(&mut self, at: Instant) {
        self.not_before = self.not_before.max(at);
    }

    /// Returns whether the newest certificate makes the next attempt.
    pub(super) fn is_its_turn(&self) -> bool {
        self.is_its_turn && self.not_before <= Instant::now()
    }

    /// Records that AWS has accepted one of the two certificates.
    pub(super) fn accepted_one(&mut self) {
        self.predecessor_failed = false;
    }

    /// Records that the predecessor could not connect.
    pub(super) fn predecessor_failed(&mut self) {
        self.predecessor_failed = true;
        self.is_its_turn = true;
    }

    /// Records that the newest certificate could not connect, and may try again at `next`: at once if `keeps_turn`.
    pub(super) fn newest_failed(&mut self, next: Instant, keeps_turn: bool) {
        self.not_before = next;
        self.is_its_turn = keeps_turn;
    }

    /// Returns the wait of the predecessor after the newest certificate has failed and would itself wait for `wait`. AWS should
    /// accept the predecessor at once. If it does not, the newest certificate is not the cause, and the gateways of a fleet must
    /// not all connect every ten seconds.
    pub(super) fn wait_of_predecessor(&self, wait: Duration) -> Duration {
        match self.predecessor_failed {
            true => wait.max(ALTERNATION_INTERVAL),
            false => wait.min(ALTERNATION_INTERVAL),
        }
    }

    /// Starts with a certificate that was never tried: it makes the next attempt.
    pub(super) fn restart(&mut self) {
        self.failures = FailureStreak::new(FAILURE_LIMIT);
        self.not_before = Instant::now();
        self.is_its_turn = true;
        self.without_will = false;
    }
}

#[cfg(test)]
mod tests;
