//! The refresh task of one role alias. With one task per alias, there is never more than one request in flight.

use std::time::Duration;

use log::Level;
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::Failure;
use super::record::SuccessRecord;
use super::refresh::{MIN_INTERVAL, Schedule};
use crate::clock::{SharedClock, rfc3339};
use crate::cloud::recovery::{Recovery, RecoveryListener};
use crate::credentials::{AliasPhase, AliasReporter, Credentials, ReceivedSet};
use crate::event::{Event, journal};
use crate::failure_streak::FailureStreak;
use crate::problem::Problem;
use crate::retry::{Retries, RetryListener, RetryTarget};

/// Shortest lifetime with which SDKs do not ask again too often: botocore does so at each signature once less than 15 min are left,
/// which a refresh at half of the lifetime, a tenth more or less, prevents only from this lifetime on.
const SHORTEST_GOOD_LIFETIME: Duration = Duration::from_secs(2000);

/// Number of failures of one kind, after about three minutes, from which on the cause is not an outage if no request ever succeeded.
const FAILURE_LIMIT: u32 = 10;
/// Minimum time between two requests if the first did not reach AWS.
const MIN_INTERVAL_UNREACHED: Duration = Duration::from_secs(1);

/// A source of credentials.
pub trait Source {
    /// Identity of the request.
    type Identity: Clone + Send + Sync;

    /// Requests credentials for `alias` once.
    fn fetch(
        &self,
        alias: &str,
        identity: &Self::Identity,
    ) -> impl Future<Output = Result<Credentials, Failure>> + Send;
}

/// Channels that determine when to request credentials, and with which identity.
#[derive(Clone, Debug)]
pub struct Triggers<I> {
    /// Clock.
    pub clock: SharedClock,
    /// Counts steps of the wall clock.
    pub steps: watch::Receiver<u64>,
    /// Identity that AWS has accepted last.
    pub identity: watch::Receiver<Option<I>>,
    /// Identity that the provider has accepted last, and when. It proves that the certificate is active.
    pub accepted: watch::Sender<Option<(I, Instant)>>,
    /// Signals when AWS may be reachable again, and is told when it was reached.
    pub recovery: Recovery,
    /// Record of aliases that have ever succeeded.
    pub success: SuccessRecord,
    /// Requests of an operator.
    pub retries: Retries,
}

/// The refresh task of one role alias.
#[derive(Debug)]
pub struct Refresher<S: Source> {
    alias: String,
    source: S,
    triggers: Triggers<S::Identity>,
    reporter: AliasReporter,
    schedule: Schedule,
    recovery: RecoveryListener,
    retry: RetryListener,
    streak: FailureStreak<&'static str>,
    warned_of_lifetime: bool,
}

/// Length of a wait, and whether it may end early.
struct Wait {
    planned: Duration,
    /// Whether AWS was not reached, so that the wait ends when AWS may be reachable again.
    unreached: bool,
}

impl<S: Source> Refresher<S> {
    /// Creates a task for the alias whose cache entry `reporter` writes.
    pub fn new(source: S, triggers: Triggers<S::Identity>, reporter: AliasReporter, random: fastrand::Rng) -> Self {
        let alias = reporter.name().to_owned();
        let mut streak = FailureStreak::new(FAILURE_LIMIT);
        streak.remember_success(triggers.success.has_succeeded(&alias));
        Self {
            source,
            recovery: triggers.recovery.listen(),
            retry: triggers.retries.listen(RetryTarget::RoleAlias(alias.clone())),
            triggers,
            reporter,
            schedule: Schedule::new(random),
            streak,
            warned_of_lifetime: false,
            alias,
        }
    }

    /// Runs for as long as the daemon does.
    pub async fn run(mut self) {
        loop {
            let Some(identity) = self.wait_for_identity().await else {
                return;
            };
            self.triggers.steps.mark_unchanged();
            let asked = Instant::now();
            let wait = match self.fetch(&identity).await {
                Ok(credentials) => self.succeed(credentials, identity),
                Err(failure) => self.fail(failure),
            };
            let next = rfc3339(self.triggers.clock.wall() + wait.planned);
            self.reporter
                .status()
                .details(|details| details.next_refresh = Some(next));
            self.retry.forget();
            tokio::select! {
                () = tokio::time::sleep(wait.planned) => {}
                Ok(()) = self.triggers.steps.changed() => {}
                changed = self.triggers.identity.changed() => if changed.is_err() { return },
                () = self.recovery.wait_for_signal(), if wait.unreached => {}
                () = self.retry.requested() => {}
            }
            let gap = if wait.unreached {
                MIN_INTERVAL_UNREACHED
            } else {
                MIN_INTERVAL
            };
            tokio::time::sleep_until(asked + gap.min(wait.planned)).await;
        }
    }

    /// Requests credentials. An attempt that has hung since before the network changed is restarted, but only once, so that a network
    /// that changes all the time does not prevent every attempt from finishing.
    async fn fetch(&mut self, identity: &S::Identity) -> Result<Credentials, Failure> {
        self.recovery.mark_heard();
        tokio::select! {
            outcome = self.source.fetch(&self.alias, identity) => return outcome,
            () = self.recovery.wait_for_restart(Instant::now()) => {}
        }
        self.source.fetch(&self.alias, identity).await
    }

    /// Waits for an identity that AWS has accepted; `None` when the daemon shuts down.
    async fn wait_for_identity(&mut self) -> Option<S::Identity> {
        self.triggers.identity.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Stores and reports new credentials.
    fn succeed(&mut self, credentials: Credentials, identity: S::Identity) -> Wait {
        self.streak.succeed();
        self.triggers.success.remember(&self.alias);
        self.triggers.accepted.send_replace(Some((identity, Instant::now())));
        self.triggers.recovery.announce_success();
        // The announcement is for other tasks.
        self.recovery.mark_heard();
        let clock = &*self.triggers.clock;
        let lifetime = credentials.remaining(clock);
        let (expiration, refreshed) = (rfc3339(credentials.expiration()), rfc3339(clock.wall()));
        journal!(
            Level::Debug, Event::CredentialsRefreshed, ROLE_ALIAS = self.alias.as_str();
            "role alias {}: credentials until {expiration}", self.alias
        );
        if lifetime < SHORTEST_GOOD_LIFETIME && !std::mem::replace(&mut self.warned_of_lifetime, true) {
            journal!(
                Level::Warn, Event::ShortLifetime, ROLE_ALIAS = self.alias.as_str();
                "role alias {}: its credentials are valid for {} s; below {} s the AWS CLI and boto3 request new ones for every call; next: raise credentialDurationSeconds",
                self.alias,
                lifetime.as_secs(),
                SHORTEST_GOOD_LIFETIME.as_secs()
            );
        }
        // A provider in trouble may issue short-lived sets, so a longer-lived one stays, unless it belongs to another thing.
        let is_better = self
            .reporter
            .credentials()
            .is_none_or(|known| known.thing_name() != credentials.thing_name() || known.remaining(clock) <= lifetime);
        if is_better {
            self.reporter.store(ReceivedSet {
                credentials,
                refreshed: Some(refreshed.clone()),
            });
        }
        self.reporter.status().report_with(AliasPhase::Valid, None, |details| {
            details.refreshes.succeeded += 1;
            details.failed_in_a_row = 0;
            if is_better {
                details.expiration = Some(expiration);
                details.refreshed = Some(refreshed);
            }
        });
        Wait {
            planned: self.schedule.after_success(lifetime),
            unreached: false,
        }
    }

    /// Reports a failure. Valid credentials stay in the cache.
    fn fail(&mut self, failure: Failure) -> Wait {
        let clock = self.triggers.clock.clone();
        let usable = self.reporter.credentials().filter(|set| set.usable(&*clock));
        let left = usable.map(|set| set.remaining(&*clock));
        let phase = match left {
            Some(_) => AliasPhase::Valid,
            None => AliasPhase::Failing,
        };
        let planned = self.schedule.after_failure(&failure, left);
        let (refused, unreached) = (
            matches!(failure, Failure::Refused(_)),
            matches!(failure, Failure::Unreachable(_)),
        );
        let problem = self.judge(failure);
        self.reporter.status().report_with(phase, Some(problem), |details| {
            // An outage counts once, however many attempts fail meanwhile.
            if details.failed_in_a_row == 0 {
                details.failures.get_or_insert_default().add(&*clock);
            }
            details.failed_in_a_row = details.failed_in_a_row.saturating_add(1);
            match refused {
                false => details.refreshes.transient += 1,
                true => details.refreshes.refused += 1,
            }
        });
        Wait { planned, unreached }
    }

    /// Returns the problem of a failure. If the alias has never succeeded, it suggests what to check.
    fn judge(&mut self, failure: Failure) -> Problem {
        let outlook = self.streak.fail(failure.kind());
        let suspects = match failure {
            Failure::Unreachable(_) => {
                "check aws.credentials-endpoint, the name service, and that the firewall allows outbound TCP port 443"
            }
            Failure::Throttled(_) => "check the account's quotas for AssumeRoleWithCertificate and AssumeRole",
            Failure::Transient(_) | Failure::Refused(_) => {
                "check that aws.credentials-endpoint is AWS's credentials provider: aws iot describe-endpoint --endpoint-type \
                 iot:CredentialProvider prints yours"
            }
        };
        outlook.judge(failure.into_problem(), suspects)
    }
}

#[cfg(test)]
mod tests;
