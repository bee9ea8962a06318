//! A set of temporary AWS credentials and its age.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::clock::{Clock, rfc3339};
use crate::secret::{ExposeSecret, SecretBody, SecretString};

/// Sets with less than this to live are not handed out: a caller needs time to use them.
pub const USABLE_MARGIN: Duration = Duration::from_secs(60);

/// AWS gives credentials of a role alias for 12 h at most (CreateRoleAlias, credentialDurationSeconds): who claims more is
/// not believed.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// What the answer has besides its three strings: names, punctuation, version, expiration.
const FRAME: usize = 256;

/// One set of temporary credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    expiration: SystemTime,
    /// Boottime at which the set expires, by the lifetime it had when it arrived.
    expires_at_boot: Duration,
    body: SecretBody,
    keys: Arc<Keys>,
    thing_name: Arc<str>,
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
        // Large enough from the start: a buffer that grows leaves copies of secrets behind. The token stands in it twice, and
        // JSON writes a quotation mark or a backslash with two characters.
        let secrets = answer.secret_access_key.len() + 2 * answer.token.len();
        let mut body = Vec::with_capacity(FRAME + 2 * (access_key_id.len() + secrets));
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
            thing_name: Arc::default(),
        }
    }

    /// Notes as whom the set was asked for: it is no other thing's.
    #[must_use]
    pub fn for_thing(mut self, thing_name: &str) -> Self {
        self.thing_name = thing_name.into();
        self
    }

    /// A set that came earlier: its age is counted from then.
    #[must_use]
    pub(super) fn expiring_at_boot(mut self, expires_at_boot: Duration) -> Self {
        self.expires_at_boot = expires_at_boot;
        self
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

    /// Boottime at which the set expires.
    pub(super) fn expires_at_boot(&self) -> Duration {
        self.expires_at_boot
    }

    /// The thing that asked for it.
    pub fn thing_name(&self) -> &str {
        &self.thing_name
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    pub(in crate::credentials) const NOW: u64 = 1_800_000_000;

    pub(in crate::credentials) fn set(lifetime: u64, clock: &dyn Clock) -> Credentials {
        let expiration = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + lifetime);
        Credentials::received("ASIAEXAMPLE", &"secret".into(), &"token".into(), expiration, clock).for_thing("gw-1")
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
}
