//! A certificate that is to follow one that AWS has accepted: tried on a connection of its own, beside the one that lasts,
//! until AWS has accepted it as well.
//!
//! With the same client ID AWS ends the old connection when it accepts the new one, and the session goes on. A certificate
//! that AWS refuses costs neither the session nor, at the next start, the gateway.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::connecting::may_be_the_will;
use super::outage::{FailureKind, TELLING_FAILURES};
use super::{CONNECT_INTERVAL, Session, problems};
use crate::cloud::mqtt::{ConnectError, Connection, Terms};
use crate::failure_streak::FailureStreak;
use crate::identity::Identity;
use crate::problem::Problem;

/// For the CONNACK, after AWS has ended the old connection because of the new one.
const TAKEOVER: Duration = Duration::from_secs(2);

/// Between a try of one certificate and of the other: AWS limits CONNECTs of a client ID to one a second, in practice to one in
/// ten seconds (aws-greengrass-nucleus PR #1003).
const TURN: Duration = Duration::from_secs(10);

type Opened = Result<(Connection, Terms), ConnectError>;

/// The certificate that is to follow, and the state of its tries.
pub struct CertificateRollover {
    who: Option<Arc<Identity>>,
    under_way: Option<Try>,
    not_before: Instant,
    /// AWS may refuse the connection because of the will: every other try is without.
    without_will: bool,
    /// The certificate that it is to follow could not connect, so it is its turn.
    its_turn: bool,
    /// The certificate that it is to follow could not connect either since AWS has accepted one of them.
    predecessor_failed: bool,
    /// The failed tries since AWS has accepted one, or since there is another certificate.
    failures: FailureStreak<FailureKind>,
    /// Whether a try was under way when the last connection ended: AWS may have ended it because of that.
    was_tried: bool,
}

struct Try {
    who: Arc<Identity>,
    opening: Pin<Box<dyn Future<Output = Opened> + Send>>,
}

impl std::fmt::Debug for CertificateRollover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Successor")
            .field("who", &self.who)
            .finish_non_exhaustive()
    }
}

/// A connection whose certificate AWS has accepted.
pub(super) struct Successful {
    pub(super) connection: Connection,
    pub(super) granted: Terms,
    pub(super) identity: Arc<Identity>,
}

impl CertificateRollover {
    /// None so far.
    pub fn none() -> Self {
        Self {
            who: None,
            under_way: None,
            not_before: Instant::now(),
            without_will: false,
            its_turn: false,
            predecessor_failed: false,
            failures: FailureStreak::new(TELLING_FAILURES),
            was_tried: false,
        }
    }

    /// Returns when it may be tried; borrows nothing.
    pub(super) fn due(&self) -> impl Future<Output = ()> + use<> {
        let at = (self.who.is_some() && self.under_way.is_none()).then_some(self.not_before);
        async move {
            match at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        }
    }

    /// Returns what became of the try under way. Cancel safe.
    pub(super) async fn opened(&mut self) -> (Arc<Identity>, Opened) {
        let Some(Try { who, opening }) = &mut self.under_way else {
            return pending().await;
        };
        let opened = (who.clone(), opening.await);
        self.under_way = None;
        opened
    }

    /// Whether a try is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether the connection that has ended may have been taken over by our own try.
    pub(super) fn may_have_taken_over(&self) -> bool {
        self.was_tried
    }

    /// What becomes of the try under way, if it is decided soon.
    pub(super) async fn decided(&mut self) -> Option<(Arc<Identity>, Opened)> {
        self.was_tried = self.under_way.is_some();
        let Try { who, opening } = self.under_way.take()?;
        Some((who, timeout(TAKEOVER, opening).await.ok()?))
    }

    /// The problem of a failed try. The certificate before it is accepted meanwhile, so one that was never accepted and fails in the
    /// same way again and again is not going to heal by itself.
    fn judge(&mut self, error: &ConnectError, problem: Problem) -> Problem {
        self.failures.fail(error.into()).judge(
            problem,
            "look whether a proxy or another broker answers in AWS's place, and whether the new certificate is ACTIVE, attached \
             to the thing and allowed to connect",
        )
    }

    /// AWS has accepted one of the certificates.
    pub(super) fn accepted_one(&mut self) {
        self.predecessor_failed = false;
    }

    /// How long the predecessor waits after the newest has failed, which would wait for `wait`. It is expected to be accepted
    /// at once; where it is not, the fault is not the newest's, and AWS must not hear of a fleet every ten seconds.
    fn turn_of_the_other(&self, wait: Duration) -> Duration {
        match self.predecessor_failed {
            true => wait.max(TURN),
            false => wait.min(TURN),
        }
    }

    /// A certificate has come that was never tried: it goes first.
    fn begin_anew(&mut self) {
        self.failures = FailureStreak::new(TELLING_FAILURES);
        self.not_before = Instant::now();
        self.its_turn = true;
        self.without_will = false;
    }
}

impl Session {
    /// A certificate has come, or is there at the start.
    pub(super) fn begin(&mut self, newest: &Arc<Identity>) {
        if !self.is_newest(newest) {
            self.successor.begin_anew();
        }
        self.provisioning.begin(&newest.certificate.id);
        if self.accepted.borrow().is_none()
            && !self.provisioning.was_accepted()
            && let Some(proven) = self.proven.load(&newest.key, &*self.clock)
        {
            self.accepted.send_replace(Some(Arc::new(proven)));
        }
        self.tell_who_is_accepted(newest);
        self.reporters.provisioning(&self.provisioning, None, None);
    }

    /// The newest; while AWS has not accepted that, it and the one before it take turns.
    pub(super) fn whom_to_be(&self, newest: Arc<Identity>) -> Arc<Identity> {
        let its_turn = self.successor.its_turn && self.successor.not_before <= Instant::now();
        match self.predecessor(&newest) {
            Some(predecessor) if !its_turn => predecessor,
            _ => newest,
        }
    }

    /// An attempt has failed without another connection to fall back to: the next one is the other's, if there is another.
    /// Returns how long to wait.
    pub(super) fn take_turns(&mut self, failed: &Identity, wait: Duration) -> Duration {
        let Some(newest) = self.inputs.identity.borrow().clone() else {
            return wait;
        };
        if self.predecessor(&newest).is_none() {
            return wait;
        }
        let now = Instant::now();
        if !self.is_newest(failed) {
            self.successor.predecessor_failed = true;
            self.successor.its_turn = true;
            return wait.max(TURN);
        }
        self.successor.not_before = now + wait;
        // The first drop is what AWS does to a certificate that it has never seen.
        self.successor.its_turn = self.provisioning.attempts() == 1;
        match self.successor.its_turn {
            true => wait,
            false => self.successor.turn_of_the_other(wait),
        }
    }

    fn predecessor(&self, newest: &Identity) -> Option<Arc<Identity>> {
        let accepted = self.accepted.borrow().clone()?;
        let usable = !self.provisioning.was_accepted()
            && accepted.certificate.id != newest.certificate.id
            && accepted.key == newest.key
            && accepted.certificate.not_after > self.clock.aws_now();
        usable.then_some(accepted)
    }

    /// At the start of a connection as `identity`, and when the newest certificate has changed: what is to follow. False where
    /// there is none that could be tried beside it.
    pub(super) fn look_for_successor(&mut self, identity: &Identity, connected: Instant) -> bool {
        let Some(newest) = self.inputs.identity.borrow_and_update().clone() else {
            return false;
        };
        if newest.key != identity.key {
            return false;
        }
        self.successor.who = None;
        if newest.certificate.id == identity.certificate.id {
            if !self.is_newest(&newest) {
                self.provisioning.begin(&newest.certificate.id);
                self.provisioning.accepted();
                self.reporters.provisioning(&self.provisioning, None, None);
            }
            return true;
        }
        self.begin(&newest);
        let earliest = connected + CONNECT_INTERVAL;
        self.successor.not_before = self.successor.not_before.max(earliest);
        self.successor.who = Some(newest);
        true
    }

    /// Tries the successor.
    pub(super) fn try_successor(&mut self) {
        let Some(who) = self.successor.who.clone() else { return };
        let will = self.traffic.presence.will(&who.certificate.thing_name);
        let opening = self.open(&who, will.filter(|_| !self.successor.without_will));
        self.successor.under_way = Some(Try {
            who,
            opening: Box::pin(opening),
        });
    }

    /// The successor is accepted: its connection takes the place of the one before.
    pub(super) fn succeeded(
        &mut self,
        identity: Arc<Identity>,
        (connection, granted): (Connection, Terms),
    ) -> Successful {
        self.successor.who = None;
        self.accepted(&identity, granted);
        Successful {
            connection,
            granted,
            identity,
        }
    }

    /// The successor was not accepted: the connection as `identity` lasts.
    pub(super) fn successor_failed(&mut self, error: ConnectError, identity: &Identity) {
        let (why, wait) = match &error {
            ConnectError::Unreachable(problem) => (Some(problem.clone()), self.next_backoff()),
            ConnectError::LostBeforeConnack(seen) => {
                let wait = self.provisioning.lost_before_connack();
                (self.provisioning.explain(seen, false), wait)
            }
            ConnectError::Breach(breach) => {
                let what = breach.to_string();
                (Some(problems::not_mqtt(&self.endpoint, &what)), self.next_backoff())
            }
            ConnectError::NotMqtt(what) => (Some(problems::not_mqtt(&self.endpoint, what)), self.next_backoff()),
            ConnectError::Refused(reason) => {
                self.successor.without_will ^= may_be_the_will(reason.code);
                (
                    Some(problems::refused(&self.endpoint, reason, None)),
                    self.next_backoff(),
                )
            }
        };
        // What AWS does before CONNACK is provisioning's to explain.
        let why = match error {
            ConnectError::LostBeforeConnack(_) => why,
            error => why.map(|why| self.successor.judge(&error, why)),
        };
        self.successor.not_before = Instant::now() + wait;
        let why = why.map(|why| problems::meanwhile(why, &identity.certificate));
        self.reporters
            .provisioning(&self.provisioning, why, Some(self.clock.wall() + wait));
    }
}

#[cfg(test)]
mod tests;
