//! A set of temporary AWS credentials, its age, and the shelf on which the wings share them.
//!
//! The cloud wing's keepers put sets on the shelf; the local wing reads them. A set is never taken off because a refresh
//! failed, only because it has expired.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::sync::watch;

use crate::clock::{Clock, rfc3339};
use crate::secret::{ExposeSecret, SecretBody, SecretString};
use crate::status::{Desk, Part, Reporter, phases};

/// Sets with less than this to live are not handed out: a caller needs time to use them.
pub const USABLE_MARGIN: Duration = Duration::from_secs(60);

/// AWS's answer has about 1.1 KB, and the session token stands in ours twice.
const BODY_CAPACITY: usize = 4096;

/// One set of temporary credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    expiration: SystemTime,
    /// Boottime at which the set expires, by the lifetime it had when it arrived.
    expires_at_boot: Duration,
    body: SecretBody,
    keys: Arc<Keys>,
}

/// What signing needs.
#[derive(Debug)]
pub struct Keys {
    /// The access key's ID, which is no secret.
    pub access_key_id: String,
    secret_access_key: SecretString,
    session_token: SecretString,
}

impl Keys {
    /// The secret access key.
    pub fn secret_access_key(&self) -> &str {
        self.secret_access_key.expose_secret()
    }

    /// The session token, which AWS takes for a secret too.
    pub fn session_token(&self) -> &str {
        self.session_token.expose_secret()
    }
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
        // Large enough from the start: a buffer that grows leaves copies of secrets behind.
        let mut body = Vec::with_capacity(BODY_CAPACITY);
        // Strings and a number cannot fail to become JSON; an empty body would be refused by every caller.
        let _ = serde_json::to_writer(&mut body, &answer);
        body.push(b'\n');
        let lifetime = expiration.duration_since(clock.wall()).unwrap_or_default();
        Self {
            expiration,
            expires_at_boot: clock.boot().saturating_add(lifetime),
            body: SecretBody::new(body),
            keys: Arc::new(Keys {
                access_key_id: access_key_id.to_owned(),
                secret_access_key: secret_access_key.clone(),
                session_token: session_token.clone(),
            }),
        }
    }

    /// The answer for a caller.
    pub fn body(&self) -> &SecretBody {
        &self.body
    }

    /// What signing needs.
    pub fn keys(&self) -> &Keys {
        &self.keys
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

phases! {
    /// A role alias's state.
    AliasPhase {
        /// Nothing asked for yet, or nothing came yet.
        Waiting = "waiting",
        /// Good credentials are there.
        Valid = "valid",
        /// None are there, and the last attempt failed.
        Failing = "failing",
    }
}

/// How many requests for credentials ended how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refreshes {
    /// With credentials.
    pub succeeded: u64,
    /// With nothing, and asking again may help.
    pub transient: u64,
    /// With a refusal.
    pub refused: u64,
}

/// What there is to know of one role alias besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AliasDetails {
    /// Its name at AWS.
    pub name: String,
    /// Whether a request without a name means it.
    pub default: bool,
    /// When the credentials expire, RFC 3339.
    pub expiration: Option<String>,
    /// When they came, RFC 3339.
    pub refreshed: Option<String>,
    /// When the next ones are asked for, RFC 3339.
    pub next_refresh: Option<String>,
    /// What came of the requests since start.
    #[serde(skip)]
    pub refreshes: Refreshes,
    /// The last good set.
    #[serde(skip)]
    pub credentials: Option<Credentials>,
}

/// One role alias's part.
pub type AliasPart = Part<AliasPhase, AliasDetails>;
/// Its reporting end, for its keeper.
pub type AliasReporter = Reporter<AliasPhase, AliasDetails>;

impl AliasPart {
    /// The set a caller may have now.
    pub fn usable(&self, clock: &dyn Clock) -> Option<&Credentials> {
        self.details
            .credentials
            .as_ref()
            .filter(|credentials| credentials.usable(clock))
    }

    /// The part as it is at this moment: credentials that have expired since the last report are not valid any more.
    #[must_use]
    pub fn at_present(mut self, clock: &dyn Clock) -> Self {
        if self.phase == AliasPhase::Valid && self.usable(clock).is_none() {
            self.phase = AliasPhase::Failing;
        }
        self
    }
}

/// The reading ends of every configured role alias, by name.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    aliases: BTreeMap<String, watch::Receiver<AliasPart>>,
    default: Option<String>,
}

impl Shelf {
    /// A shelf for `names`, and the reporting ends of its places.
    pub fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        default: Option<&str>,
        desk: &Desk,
    ) -> (Self, Vec<AliasReporter>) {
        let mut shelf = Self {
            aliases: BTreeMap::new(),
            default: default.map(str::to_owned),
        };
        let mut reporters = Vec::new();
        for name in names {
            let default = default == Some(name);
            let details = AliasDetails {
                name: name.to_owned(),
                default,
                ..AliasDetails::default()
            };
            let reporter = desk.reporter(format!("role alias {name}"), AliasPhase::Waiting, details);
            shelf.aliases.insert(name.to_owned(), reporter.watch());
            reporters.push(reporter);
        }
        (shelf, reporters)
    }

    /// One alias as it is now; `None` where it is not configured.
    pub fn get(&self, alias: &str, clock: &dyn Clock) -> Option<AliasPart> {
        self.aliases
            .get(alias)
            .map(|place| place.borrow().clone().at_present(clock))
    }

    /// The alias that a request without a name means.
    pub fn default_alias(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Every alias as it is now, by name.
    pub fn parts(&self, clock: &dyn Clock) -> Vec<AliasPart> {
        self.aliases
            .values()
            .map(|place| place.borrow().clone().at_present(clock))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::problem::Problem;

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
        let (shelf, reporters) = Shelf::new(["telemetry"], None, &Desk::new(clock.clone()));
        let good = set(3600, &*clock);
        reporters[0].report_with(AliasPhase::Valid, None, |details| details.credentials = Some(good));
        reporters[0].report(AliasPhase::Valid, Some(Problem::wait("AWS answered 500")));
        assert_eq!(shelf.get("telemetry", &*clock).unwrap().phase, AliasPhase::Valid);
        clock.pass(Duration::from_secs(3600));
        let part = shelf.get("telemetry", &*clock).unwrap();
        assert_eq!(
            (part.phase, part.usable(&*clock).is_none()),
            (AliasPhase::Failing, true)
        );
    }
}
