//! Keeps one role alias's credentials fresh. One task an alias, so there is never more than one request under way.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::Failure;
use super::provider;
use super::refresh::Schedule;
use crate::clock::{SharedClock, rfc3339};
use crate::config::Endpoint;
use crate::credentials::{AliasPhase, AliasReporter, Credentials};
use crate::identity::{Identity, IdentityReceiver, SendChain, client_config};
use crate::problem::{Problem, with_causes};

/// Between two requests whatever happens: a clock that steps every second must not become a request every second.
const LEAST_GAP: Duration = Duration::from_secs(10);
/// botocore asks again at each signing once less than 15 min are left; refreshing at half of the life keeps it out of that
/// window only from this lifetime on (with the spread of a tenth).
const SHORTEST_GOOD_LIFETIME: Duration = Duration::from_secs(2000);

/// What all keepers share.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Where to ask.
    pub endpoint: Endpoint,
    /// Whom to trust.
    pub roots: Arc<RootCertStore>,
    /// The clock.
    pub clock: SharedClock,
    /// Counts steps of the wall clock.
    pub steps: watch::Receiver<u64>,
    /// Who we are, once AWS knows us.
    pub identity: IdentityReceiver,
}

/// The task that keeps one alias.
#[derive(Debug)]
pub struct Keeper {
    alias: String,
    provider: Provider,
    reporter: AliasReporter,
    schedule: Schedule,
    warned_of_lifetime: bool,
}

impl Keeper {
    /// A keeper for the alias whose place on the shelf `reporter` writes.
    pub fn new(provider: Provider, reporter: AliasReporter, random: fastrand::Rng) -> Self {
        let alias = reporter.watch().borrow().details.name.clone();
        Self {
            alias,
            provider,
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
            self.provider.steps.mark_unchanged();
            let asked = Instant::now();
            let wait = match self.ask(&identity).await {
                Ok(credentials) => self.succeed(credentials),
                Err(failure) => self.fail(&failure),
            };
            let next = rfc3339(self.provider.clock.wall() + wait);
            self.reporter.details(|details| details.next_refresh = Some(next));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                Ok(()) = self.provider.steps.changed() => {}
                changed = self.provider.identity.changed() => if changed.is_err() { return },
            }
            tokio::time::sleep_until(asked + LEAST_GAP.min(wait)).await;
        }
    }

    /// The identity, once AWS has accepted a connection made with it; `None` when the daemon ends.
    async fn wait_until_known(&mut self) -> Option<Arc<Identity>> {
        self.provider.identity.wait_for(Option::is_some).await.ok()?.clone()
    }

    async fn ask(&self, identity: &Identity) -> Result<Credentials, Failure> {
        let Provider {
            endpoint, roots, clock, ..
        } = &self.provider;
        let tls = client_config(identity, roots.clone(), SendChain::Leaf, &[], clock.clone())
            .map_err(|error| Failure::Transient(Problem::wait(format!("no TLS: {}", with_causes(&error)))))?;
        provider::fetch(endpoint, tls, &self.alias, &identity.certificate.thing_name, &**clock).await
    }

    fn succeed(&mut self, credentials: Credentials) -> Duration {
        let clock = &*self.provider.clock;
        let lifetime = credentials.remaining(clock);
        let (expiration, refreshed) = (rfc3339(credentials.expiration()), rfc3339(clock.wall()));
        log::debug!(
            GATEPOST_EVENT = "credentials-refreshed", ROLE_ALIAS = self.alias.as_str();
            "role alias {}: credentials until {expiration}", self.alias
        );
        if lifetime < SHORTEST_GOOD_LIFETIME && !std::mem::replace(&mut self.warned_of_lifetime, true) {
            log::warn!(
                "role alias {}: its credentials live {} s; with less than {} s the AWS CLI and boto3 ask again at every call; next: raise credentialDurationSeconds",
                self.alias,
                lifetime.as_secs(),
                SHORTEST_GOOD_LIFETIME.as_secs()
            );
        }
        self.reporter.report_with(AliasPhase::Valid, None, |details| {
            details.expiration = Some(expiration);
            details.refreshed = Some(refreshed);
            details.credentials = Some(credentials);
        });
        self.schedule.after_success(lifetime)
    }

    /// What was good stays: only the problem is reported.
    fn fail(&mut self, failure: &Failure) -> Duration {
        let still_good = self.reporter.watch().borrow().usable(&*self.provider.clock).is_some();
        let phase = if still_good {
            AliasPhase::Valid
        } else {
            AliasPhase::Failing
        };
        self.reporter.report(phase, Some(failure.problem().clone()));
        self.schedule.after_failure(failure)
    }
}
