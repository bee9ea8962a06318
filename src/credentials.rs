//! A set of temporary AWS credentials, its age, and the shelf on which the wings share them.
//!
//! The cloud wing's keepers put sets on the shelf; the local wing reads them. A set is never taken off because a refresh
//! failed, only because it has expired.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::sync::watch;

use crate::clock::{Clock, rfc3339};
use crate::problem::Problem;
use crate::secret::{ExposeSecret, SecretBody, SecretString};

/// Sets with less than this to live are not handed out: a caller needs time to use them.
pub const USABLE_MARGIN: Duration = Duration::from_secs(60);

/// One set of temporary credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    expiration: SystemTime,
    /// Boottime at which the set expires, by the lifetime it had when it arrived.
    expires_at_boot: Duration,
    body: SecretBody,
}

/// The set in the one form that serves credential_process (`SessionToken`) and the container providers (`Token`).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    token: &'a str,
    expiration: String,
}

impl Credentials {
    /// A set as AWS gave it just now. Its age is counted on both clocks from here.
    pub fn received(
        access_key_id: &str,
        secret_access_key: &SecretString,
        session_token: &SecretString,
        expiration: SystemTime,
        clock: &dyn Clock,
    ) -> Self {
        let answer = Answer {
            version: 1,
            access_key_id,
            secret_access_key: secret_access_key.expose_secret(),
            session_token: session_token.expose_secret(),
            token: session_token.expose_secret(),
            expiration: rfc3339(expiration),
        };
        // Three strings and a number cannot fail to become JSON; an empty body would be refused by every caller.
        let mut body = serde_json::to_vec(&answer).unwrap_or_default();
        body.push(b'\n');
        let lifetime = expiration.duration_since(clock.wall()).unwrap_or_default();
        Self {
            expiration,
            expires_at_boot: clock.boot().saturating_add(lifetime),
            body: SecretBody::new(body),
        }
    }

    /// The answer for a caller.
    pub fn body(&self) -> &SecretBody {
        &self.body
    }

    /// When AWS stops to accept the set.
    pub fn expiration(&self) -> SystemTime {
        self.expiration
    }

    /// How long the set is good for, by the more pessimistic of the two clocks; zero once it is over.
    pub fn remaining(&self, clock: &dyn Clock) -> Duration {
        let by_wall = self.expiration.duration_since(clock.wall()).unwrap_or_default();
        let by_boot = self.expires_at_boot.saturating_sub(clock.boot());
        by_wall.min(by_boot)
    }

    /// Whether a caller may still have the set.
    pub fn usable(&self, clock: &dyn Clock) -> bool {
        self.remaining(clock) > USABLE_MARGIN
    }
}

/// What there is to know of one role alias.
#[derive(Clone, Debug, Default)]
pub struct AliasState {
    /// The last good set.
    pub credentials: Option<Credentials>,
    /// When the last good set came.
    pub refreshed: Option<SystemTime>,
    /// When the next one is asked for.
    pub next_refresh: Option<SystemTime>,
    /// Why the last attempt gave none, and since when (boottime).
    pub problem: Option<Problem>,
    /// Boottime at which the phase last changed.
    pub since: Duration,
}

impl AliasState {
    /// The set a caller may have now.
    pub fn usable(&self, clock: &dyn Clock) -> Option<&Credentials> {
        self.credentials
            .as_ref()
            .filter(|credentials| credentials.usable(clock))
    }

    /// The state's name: `valid`, `waiting` (never had any, nothing wrong yet) or `failing`.
    pub fn phase(&self, clock: &dyn Clock) -> &'static str {
        match (self.usable(clock), &self.problem) {
            (Some(_), _) => "valid",
            (None, Some(_)) => "failing",
            (None, None) => "waiting",
        }
    }
}

/// The reading ends of every configured role alias, by name.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    aliases: BTreeMap<String, watch::Receiver<AliasState>>,
    default: Option<String>,
}

impl Shelf {
    /// A shelf for `aliases` and the writing ends of its places, in the same order.
    pub fn new<'a>(
        aliases: impl IntoIterator<Item = &'a str>,
        default: Option<&str>,
    ) -> (Self, Vec<(String, watch::Sender<AliasState>)>) {
        let writers: Vec<_> = aliases
            .into_iter()
            .map(|name| (name.to_owned(), watch::Sender::new(AliasState::default())))
            .collect();
        let readers = writers
            .iter()
            .map(|(name, writer)| (name.clone(), writer.subscribe()))
            .collect();
        (
            Self {
                aliases: readers,
                default: default.map(str::to_owned),
            },
            writers,
        )
    }

    /// The state of one alias; `None` where it is not configured.
    pub fn get(&self, alias: &str) -> Option<AliasState> {
        self.aliases.get(alias).map(|place| place.borrow().clone())
    }

    /// The alias that a request without a name means.
    pub fn default_alias(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Every alias and its state.
    pub fn iter(&self) -> impl Iterator<Item = (&str, AliasState)> {
        self.aliases
            .iter()
            .map(|(name, place)| (name.as_str(), place.borrow().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    const NOW: u64 = 1_800_000_000;

    fn set(lifetime: u64, clock: &dyn Clock) -> Credentials {
        let expiration = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + lifetime);
        Credentials::received("ASIAEXAMPLE", &"secret".into(), &"token".into(), expiration, clock)
    }

    #[test]
    fn one_body_serves_credential_process_and_container_providers() {
        let clock = ManualClock::at(NOW);
        let body = set(3600, &*clock).body().expose();
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            answer,
            serde_json::json!({
                "Version": 1, "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "secret",
                "SessionToken": "token", "Token": "token", "Expiration": "2027-01-15T09:00:00Z"
            })
        );
        assert_eq!(body.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    }

    #[test]
    fn a_set_expires_by_whichever_clock_is_first() {
        let hour = Duration::from_secs(3600);
        let clock = ManualClock::at(NOW);
        let credentials = set(3600, &*clock);
        assert!(credentials.usable(&*clock));
        clock.step_to(clock.wall() - hour);
        assert_eq!(
            credentials.remaining(&*clock),
            hour,
            "a wall clock set back does not lengthen a life"
        );
        clock.step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + 3541));
        assert!(!credentials.usable(&*clock), "a wall clock set forward ends it");
        clock.step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
        clock.pass(Duration::from_secs(3541));
        clock.step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
        assert!(
            !credentials.usable(&*clock),
            "time that passed counts even if the wall clock stood still"
        );
    }

    #[test]
    fn a_problem_does_not_take_good_credentials_away() {
        let clock = ManualClock::at(NOW);
        let mut state = AliasState {
            credentials: Some(set(3600, &*clock)),
            ..AliasState::default()
        };
        state.problem = Some(Problem::wait("AWS answered 500"));
        assert_eq!(state.phase(&*clock), "valid");
        clock.pass(Duration::from_secs(3600));
        assert_eq!(state.phase(&*clock), "failing");
    }
}
