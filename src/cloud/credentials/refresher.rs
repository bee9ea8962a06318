//! Keeps one role alias's credentials fresh. One task an alias, so there is never more than one request under way.

use std::time::Duration;

use log::Level;
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::Failure;
use super::record::SuccessRecord;
use super::refresh::{LEAST_GAP, Schedule};
use crate::clock::{SharedClock, rfc3339};
use crate::cloud::recovery::{Recovery, RecoveryListener};
use crate::credentials::{AliasPhase, AliasReporter, Credentials};
use crate::event::{Event, journal};
use crate::failure_streak::FailureStreak;
use crate::problem::Problem;
use crate::retry::{Retries, RetryListener, RetryTarget};

/// botocore asks again at each signing once less than 15 min are left; refreshing at half of the life keeps it out of that
/// window only from this lifetime on (with the spread of a tenth).
const SHORTEST_GOOD_LIFETIME: Duration = Duration::from_secs(2000);

/// After so many failures of one kind, three minutes or so, what never succeeded is no outage any more.
const TELLING_FAILURES: u32 = 10;
/// After an attempt that did not reach AWS, nothing speaks against the next one but common sense.
const UNREACHED_GAP: Duration = Duration::from_secs(1);

/// Where credentials come from.
pub trait Source {
    /// Who asks.
    type Identity: Clone + Send + Sync;

    /// Asks once for the credentials of `alias`.
    fn fetch(
        &self,
        alias: &str,
        identity: &Self::Identity,
    ) -> impl Future<Output = Result<Credentials, Failure>> + Send;
}

/// What a keeper goes by: when to ask, and as whom.
#[derive(Clone, Debug)]
pub struct Triggers<I> {
    /// The clock.
    pub clock: SharedClock,
    /// Counts steps of the wall clock.
    pub steps: watch::Receiver<u64>,
    /// Who we are, once AWS knows us.
    pub identity: watch::Receiver<Option<I>>,
    /// Whom the provider has accepted last, and when: proof that a certificate is active.
    pub accepted: watch::Sender<Option<(I, Instant)>>,
    /// Says when AWS may be reached again, and hears it.
    pub recovery: Recovery,
    /// Which aliases have ever succeeded.
    pub success: SuccessRecord,
    /// Hears what an operator wants now.
    pub retries: Retries,
}

/// The task that keeps one alias.
#[derive(Debug)]
pub struct Refresher<S: Source> {
    alias: String,
    source: S,
    cues: Triggers<S::Identity>,
    reporter: AliasReporter,
    schedule: Schedule,
    recovery: RecoveryListener,
    retry: RetryListener,
    streak: FailureStreak<&'static str>,
    warned_of_lifetime: bool,
}

/// How long to wait, and what may cut it short.
struct Wait {
    planned: Duration,
    /// AWS was not reached, so it is worth a try as soon as something else says that it can be.
    unreached: bool,
}

impl<S: Source> Refresher<S> {
    /// A keeper for the alias whose place on the shelf `reporter` writes.
    pub fn new(source: S, cues: Triggers<S::Identity>, reporter: AliasReporter, random: fastrand::Rng) -> Self {
        let alias = reporter.watch().borrow().details.name.clone();
        let mut streak = FailureStreak::new(TELLING_FAILURES);
        streak.remember_success(cues.success.has_succeeded(&alias));
        Self {
            source,
            recovery: cues.recovery.listen(),
            retry: cues.retries.listen(RetryTarget::RoleAlias(alias.clone())),
            cues,
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
            let Some(identity) = self.wait_until_known().await else {
                return;
            };
            self.cues.steps.mark_unchanged();
            let asked = Instant::now();
            let wait = match self.fetch(&identity).await {
                Ok(credentials) => self.succeed(credentials, identity),
                Err(failure) => self.fail(failure),
            };
            let next = rfc3339(self.cues.clock.wall() + wait.planned);
            self.reporter.details(|details| details.next_refresh = Some(next));
            self.retry.forget();
            tokio::select! {
                () = tokio::time::sleep(wait.planned) => {}
                Ok(()) = self.cues.steps.changed() => {}
                changed = self.cues.identity.changed() => if changed.is_err() { return },
                () = self.recovery.wait_for_signal(), if wait.unreached => {}
                () = self.retry.requested() => {}
            }
            let gap = if wait.unreached { UNREACHED_GAP } else { LEAST_GAP };
            tokio::time::sleep_until(asked + gap.min(wait.planned)).await;
        }
    }

    /// Asks once. An attempt that has hung since before AWS could be reached again is given up and begun anew, but only once,
    /// so that a network that changes all the time does not keep every attempt from its end.
    async fn fetch(&mut self, identity: &S::Identity) -> Result<Credentials, Failure> {
        self.recovery.mark_heard();
        tokio::select! {
            outcome = self.source.fetch(&self.alias, identity) => return outcome,
            () = self.recovery.wait_for_restart(Instant::now()) => {}
        }
        self.source.fetch(&self.alias, identity).await
    }

    /// The identity, once AWS has accepted a connection made with it; `None` when the daemon ends.
    async fn wait_until_known(&mut self) -> Option<S::Identity> {
        self.cues.identity.wait_for(Option::is_some).await.ok()?.clone()
    }

    fn succeed(&mut self, credentials: Credentials, identity: S::Identity) -> Wait {
        self.streak.succeed();
        self.cues.success.remember(&self.alias);
        self.cues.accepted.send_replace(Some((identity, Instant::now())));
        self.cues.recovery.announce_success();
        // Not to ourselves.
        self.recovery.mark_heard();
        let clock = &*self.cues.clock;
        let lifetime = credentials.remaining(clock);
        let (expiration, refreshed) = (rfc3339(credentials.expiration()), rfc3339(clock.wall()));
        journal!(
            Level::Debug, Event::CredentialsRefreshed, ROLE_ALIAS = self.alias.as_str();
            "role alias {}: credentials until {expiration}", self.alias
        );
        if lifetime < SHORTEST_GOOD_LIFETIME && !std::mem::replace(&mut self.warned_of_lifetime, true) {
            journal!(
                Level::Warn, Event::ShortLifetime, ROLE_ALIAS = self.alias.as_str();
                "role alias {}: its credentials live {} s; with less than {} s the AWS CLI and boto3 ask again at every call; next: raise credentialDurationSeconds",
                self.alias,
                lifetime.as_secs(),
                SHORTEST_GOOD_LIFETIME.as_secs()
            );
        }
        self.reporter.report_with(AliasPhase::Valid, None, |details| {
            details.refreshes.succeeded += 1;
            details.failed_in_a_row = 0;
            // A service in trouble may give out short-lived sets; the better one stays, unless it is another thing's.
            if details
                .credentials
                .as_ref()
                .is_some_and(|held| held.thing_name() == credentials.thing_name() && held.remaining(clock) > lifetime)
            {
                return;
            }
            details.expiration = Some(expiration);
            details.refreshed = Some(refreshed);
            details.credentials = Some(credentials);
        });
        Wait {
            planned: self.schedule.after_success(lifetime),
            unreached: false,
        }
    }

    /// What was good stays: only the problem is reported.
    fn fail(&mut self, failure: Failure) -> Wait {
        let clock = self.cues.clock.clone();
        let left = self
            .reporter
            .watch()
            .borrow()
            .usable(&*clock)
            .map(|set| set.remaining(&*clock));
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
        self.reporter.report_with(phase, Some(problem), |details| {
            // An outage counts once, however often it is tried again meanwhile.
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

    /// The problem of a failure; one that an alias has always had names what to look at.
    fn judge(&mut self, failure: Failure) -> Problem {
        let outlook = self.streak.fail(failure.kind());
        let suspects = match failure {
            Failure::Unreachable(_) => {
                "check aws.credentials-endpoint, the name service, and that a firewall lets TCP port 443 out"
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
