//! The task of one audience: requests a token, and the next one at half of its life.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::answer;
use crate::clock::{SharedClock, rfc3339};
use crate::cloud::credentials::{Failure, Schedule};
use crate::cloud::recovery::{Recovery, RecoveryListener};
use crate::cloud::sts::{Sts, StsError};
use crate::credentials::{CredentialCache, Credentials, WebToken, WebTokenPhase, WebTokenReporter};
use crate::problem::Problem;
use crate::retry::{Retries, RetryListener, RetryTarget};

/// Requested lifetime of a token. It proves an identity for a login and is not meant to last; AWS allows 1 to 60 minutes.
const LIFETIME: Duration = Duration::from_secs(900);
/// Shortest lifetime that AWS gives.
const SHORTEST: Duration = Duration::from_secs(60);
/// Part of the lifetime of the credentials that is left out: AWS refuses a token that would outlive them.
const MARGIN: Duration = Duration::from_secs(5);
/// Minimum time between two requests.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// Minimum time between two requests if an operator asks for the second, because operators may ask often.
const RETRY_GAP: Duration = Duration::from_secs(10);
/// Longest time between two looks for the credentials that sign the request.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// All but the unreserved characters of RFC 3986, as SigV4 demands.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Everything that the tasks share.
#[derive(Clone, Debug)]
pub struct WebTokenInputs {
    /// STS; `None` if its Region is unknown.
    pub sts: Option<Sts>,
    /// The credentials that sign requests: those of the default role alias.
    pub cache: CredentialCache,
    /// Clock.
    pub clock: SharedClock,
    /// Signals when AWS may be reachable again.
    pub recovery: Recovery,
    /// Requests of an operator.
    pub retries: Retries,
}

/// The task of one audience.
pub(super) struct WebTokenTask {
    inputs: WebTokenInputs,
    recovery: RecoveryListener,
    retry: RetryListener,
    reporter: WebTokenReporter,
    schedule: Schedule,
}

/// The credentials that sign a request.
struct Signer {
    role_alias: String,
    credentials: Credentials,
}

impl WebTokenTask {
    pub(super) fn new(inputs: WebTokenInputs, reporter: WebTokenReporter, random: fastrand::Rng) -> Self {
        Self {
            recovery: inputs.recovery.listen(),
            retry: inputs
                .retries
                .listen(RetryTarget::WebToken(reporter.audience().to_owned())),
            inputs,
            reporter,
            schedule: Schedule::new(random),
        }
    }

    /// Runs for as long as a rule names the audience.
    pub(super) async fn run(mut self) {
        loop {
            let signer = self.wait_for_signer().await;
            let asked = Instant::now();
            self.recovery.mark_heard();
            let outcome = self.fetch(&signer).await;
            let is_unreached = matches!(outcome, Err(Failure::Unreachable(_)));
            let wait = match outcome {
                Ok(token) => self.succeed(token),
                Err(failure) => self.fail(failure),
            };
            let next = rfc3339(self.inputs.clock.wall() + wait);
            self.reporter
                .status()
                .details(|details| details.next_refresh = Some(next));
            self.retry.forget();
            let gap = tokio::select! {
                () = sleep(wait) => MIN_INTERVAL,
                () = self.recovery.wait_for_signal(), if is_unreached => MIN_INTERVAL,
                () = self.retry.requested() => RETRY_GAP,
            };
            sleep_until(asked + gap.min(wait)).await;
        }
    }

    /// Waits for credentials that can sign a request.
    async fn wait_for_signer(&mut self) -> Signer {
        let shared = self.inputs.clock.clone();
        let clock = &*shared;
        loop {
            let alias = self.inputs.cache.default_alias();
            let cached = alias.as_deref().and_then(|alias| self.inputs.cache.get(alias, clock));
            let usable = cached.as_ref().and_then(|cached| cached.usable(clock));
            if let (Some(role_alias), Some(credentials)) = (&alias, usable)
                && credentials.remaining(clock) > SHORTEST + MARGIN
            {
                return Signer {
                    role_alias: role_alias.clone(),
                    credentials: credentials.clone(),
                };
            }
            let problem = match (&alias, cached.and_then(|cached| cached.status.problem)) {
                (None, _) => Some(
                    Problem::configuration("no role alias is the default, and its credentials are needed for a token")
                        .next("mark one [[role-alias]] with default = true"),
                ),
                (Some(_), problem) => problem,
            };
            let phase = match (self.reporter.usable_for(clock), &problem) {
                (Some(_), _) => WebTokenPhase::Valid,
                (None, Some(_)) => WebTokenPhase::Failing,
                (None, None) => WebTokenPhase::Waiting,
            };
            // The next request follows the credentials, at no known time.
            self.reporter
                .status()
                .report_with(phase, problem, |details| details.next_refresh = None);
            let _ = timeout(CHECK_INTERVAL, self.inputs.cache.default_set_changed()).await;
        }
    }

    async fn fetch(&self, signer: &Signer) -> Result<WebToken, Failure> {
        let clock = &*self.inputs.clock;
        let Some(sts) = &self.inputs.sts else {
            return Err(Failure::Refused(
                Problem::configuration("the endpoints' names tell no Region, so STS is unknown")
                    .next("set aws.sts-endpoint = \"sts.REGION.amazonaws.com\""),
            ));
        };
        let audience = self.reporter.audience();
        let lifetime = LIFETIME
            .min(signer.credentials.remaining(clock).saturating_sub(MARGIN))
            .max(SHORTEST);
        let answer = sts
            .request(&query(audience, lifetime), &signer.credentials, clock)
            .await
            .map_err(|error| match error {
                StsError::Unusable(problem) => Failure::Refused(problem),
                StsError::Unreachable(problem) => Failure::Unreachable(problem),
            })?;
        let server = sts.endpoint.origin.to_string();
        let (token, expiration) = answer::parse(&server, &signer.role_alias, answer.status, &answer.body)?;
        Ok(WebToken::received(audience, &token, expiration, clock))
    }

    fn succeed(&mut self, token: WebToken) -> Duration {
        let lifetime = token.remaining(&*self.inputs.clock);
        let expiration = rfc3339(token.expiration());
        self.reporter.store(token);
        self.reporter
            .status()
            .report_with(WebTokenPhase::Valid, None, |details| {
                details.expiration = Some(expiration);
                details.succeeded += 1;
            });
        self.schedule.after_success(lifetime)
    }

    /// Reports a failure. A valid token stays in the cache.
    fn fail(&mut self, failure: Failure) -> Duration {
        let left = self.reporter.usable_for(&*self.inputs.clock);
        let phase = match left {
            Some(_) => WebTokenPhase::Valid,
            None => WebTokenPhase::Failing,
        };
        let wait = self.schedule.after_failure(&failure, left);
        let problem = Some(failure.into_problem());
        self.reporter
            .status()
            .report_with(phase, problem, |details| details.failed += 1);
        wait
    }
}

/// Returns the query of a request (AWS STS API Reference, GetWebIdentityToken).
fn query(audience: &str, lifetime: Duration) -> String {
    format!(
        "Action=GetWebIdentityToken&Audience.member.1={}&DurationSeconds={}&SigningAlgorithm=RS256&Version=2011-06-15",
        utf8_percent_encode(audience, PARAMETER),
        lifetime.as_secs()
    )
}

#[cfg(test)]
mod tests;
