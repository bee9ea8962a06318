//! Keeps one role alias's credentials fresh. One task an alias, so there is never more than one request under way.

use std::time::Duration;

use log::Level;
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::Failure;
use super::refresh::{LEAST_GAP, Schedule};
use crate::clock::{SharedClock, rfc3339};
use crate::credentials::{AliasPhase, AliasReporter, Credentials};
use crate::event::{Event, journal};

/// botocore asks again at each signing once less than 15 min are left; refreshing at half of the life keeps it out of that
/// window only from this lifetime on (with the spread of a tenth).
const SHORTEST_GOOD_LIFETIME: Duration = Duration::from_secs(2000);

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
pub struct Cues<I> {
    /// The clock.
    pub clock: SharedClock,
    /// Counts steps of the wall clock.
    pub steps: watch::Receiver<u64>,
    /// Who we are, once AWS knows us.
    pub identity: watch::Receiver<Option<I>>,
}

/// The task that keeps one alias.
#[derive(Debug)]
pub struct Keeper<S: Source> {
    alias: String,
    source: S,
    cues: Cues<S::Identity>,
    reporter: AliasReporter,
    schedule: Schedule,
    warned_of_lifetime: bool,
}

impl<S: Source> Keeper<S> {
    /// A keeper for the alias whose place on the shelf `reporter` writes.
    pub fn new(source: S, cues: Cues<S::Identity>, reporter: AliasReporter, random: fastrand::Rng) -> Self {
        let alias = reporter.watch().borrow().details.name.clone();
        Self {
            alias,
            source,
            cues,
            reporter,
            schedule: Schedule::new(random),
            warned_of_lifetime: false,
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
            let wait = match self.source.fetch(&self.alias, &identity).await {
                Ok(credentials) => self.succeed(credentials),
                Err(failure) => self.fail(&failure),
            };
            let next = rfc3339(self.cues.clock.wall() + wait);
            self.reporter.details(|details| details.next_refresh = Some(next));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                Ok(()) = self.cues.steps.changed() => {}
                changed = self.cues.identity.changed() => if changed.is_err() { return },
            }
            tokio::time::sleep_until(asked + LEAST_GAP.min(wait)).await;
        }
    }

    /// The identity, once AWS has accepted a connection made with it; `None` when the daemon ends.
    async fn wait_until_known(&mut self) -> Option<S::Identity> {
        self.cues.identity.wait_for(Option::is_some).await.ok()?.clone()
    }

    fn succeed(&mut self, credentials: Credentials) -> Duration {
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
        self.schedule.after_success(lifetime)
    }

    /// What was good stays: only the problem is reported.
    fn fail(&mut self, failure: &Failure) -> Duration {
        let still_good = self.reporter.watch().borrow().usable(&*self.cues.clock).is_some();
        let phase = if still_good {
            AliasPhase::Valid
        } else {
            AliasPhase::Failing
        };
        self.reporter
            .report_with(phase, Some(failure.problem().clone()), |details| match failure {
                Failure::Transient(_) => details.refreshes.transient += 1,
                Failure::Refused(_) => details.refreshes.refused += 1,
            });
        self.schedule.after_failure(failure)
    }
}

#[cfg(test)]
mod tests;
