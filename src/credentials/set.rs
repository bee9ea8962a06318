//! A set of temporary AWS credentials and its age.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::clock::{Clock, Skew, rfc3339};
use crate::secret::{ExposeSecret, SecretBody, SecretString};

/// Sets with less than this to live are not handed out: a caller needs time to use them.
pub const USABLE_MARGIN: Duration = Duration::from_secs(60);

/// AWS gives credentials of a role alias for 12 h at most (CreateRoleAlias, credentialDurationSeconds): who claims more is
/// not believed.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// A wall clock that is no further behind AWS's than this changes nothing of the expiration that programs are told: an SDK
/// replaces a set at least 10 s before it.
const NEGLIGIBLE_SKEW: Duration = Duration::from_secs(5);

/// What the answer has besides its three strings: names, punctuation, version, expiration.
const FRAME: usize = 256;

/// One set of temporary credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    expiration: SystemTime,
    /// Boottime at which the set expires, by the lifetime it had when it arrived.
    expires_at_boot: Duration,
    body: SecretBody,
    /// The expiration in `body`.
    told: SystemTime,
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
    /// A set as AWS gave it just now. What it has to live by AWS's time is counted on the boottime clock from here.
    pub fn received(
        access_key_id: &str,
        secret_access_key: &SecretString,
        session_token: &SecretString,
        expiration: SystemTime,
        clock: &dyn Clock,
    ) -> Self {
        let keys = Keys {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.clone(),
            session_token: session_token.clone(),
        };
        let lifetime = expiration.duration_since(clock.aws_now()).unwrap_or_default();
        let told = expiration_by_wall_clock(expiration, clock);
        Self {
            expiration,
            expires_at_boot: clock.boot().saturating_add(lifetime),
            body: body(&keys, told),
            told,
            keys: Arc::new(keys),
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

    /// The answer for a caller. It is made once, and again only where the wall clock is behind AWS's and has been set since.
    pub fn body(&self, clock: &dyn Clock) -> SecretBody {
        let told = expiration_by_wall_clock(self.expiration, clock);
        match told == self.told {
            true => self.body.clone(),
            false => body(&self.keys, told),
        }
    }

    /// What signing needs.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// When AWS stops to accept the set, by AWS's clock.
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

    /// How long AWS still takes the set: by its expiration and AWS's time, and no longer than it had to live when it came. Zero
    /// once it is over.
    pub fn remaining(&self, clock: &dyn Clock) -> Duration {
        let by_aws = self.expiration.duration_since(clock.latest_aws_now());
        let by_boot = self.expires_at_boot.saturating_sub(clock.boot());
        by_aws.unwrap_or_default().min(by_boot)
    }

    /// Whether a caller may still have the set.
    pub fn usable(&self, clock: &dyn Clock) -> bool {
        self.remaining(clock) > USABLE_MARGIN
    }
}

/// The expiration that programs are told. Every SDK compares it with this machine's clock.
///
/// If that clock is behind AWS's, the expiration is told earlier by as much, so that the set is replaced before AWS stops to take
/// it; but not as a time that AWS's clock has already passed. If the clock is ahead, AWS's own expiration is told: programs only
/// replace the set sooner, and a clock that is set right makes nobody use the set for too long.
fn expiration_by_wall_clock(expiration: SystemTime, clock: &dyn Clock) -> SystemTime {
    let behind = clock.skew().map(Skew::behind).unwrap_or_default();
    if behind <= NEGLIGIBLE_SKEW {
        return expiration;
    }
    let earlier = expiration.checked_sub(behind).unwrap_or(expiration);
    let earliest = clock.aws_now().checked_add(USABLE_MARGIN).unwrap_or(expiration);
    earlier.max(earliest).min(expiration)
}

/// The answer that tells this expiration.
fn body(keys: &Keys, expiration: SystemTime) -> SecretBody {
    let answer = Answer {
        version: 1,
        access_key_id: &keys.access_key_id,
        secret_access_key: keys.secret_access_key(),
        session_token: keys.session_token(),
        token: keys.session_token(),
        expiration: rfc3339(expiration),
    };
    // Large enough from the start: a buffer that grows leaves copies of secrets behind. The token stands in it twice, and
    // JSON writes a quotation mark or a backslash with two characters.
    let secrets = answer.secret_access_key.len() + 2 * answer.token.len();
    let mut text = Vec::with_capacity(FRAME + 2 * (answer.access_key_id.len() + secrets));
    // Strings and a number cannot fail to become JSON; an empty body would be refused by every caller.
    let _ = serde_json::to_writer(&mut text, &answer);
    text.push(b'\n');
    SecretBody::new(text)
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
        let body = set(3600, &*clock).body(&*clock).expose();
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

    fn told(credentials: &Credentials, clock: &dyn Clock) -> SystemTime {
        let answer: serde_json::Value = serde_json::from_slice(&credentials.body(clock).expose()).unwrap();
        humantime::parse_rfc3339(answer["Expiration"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn promise_14_a_wrong_clock_neither_lengthens_nor_shortens_a_life() {
        // Seconds that the clock is ahead, seconds that the set lives by AWS's time, and how much earlier its end is told.
        for (ahead, lifetime, earlier) in [
            (0, 3600, 0),
            (3, 3600, 0),
            (-3, 3600, 0),
            (-6, 3600, 6),
            (240, 3600, 0),
            (-240, 3600, 240),
            (1200, 3600, 0),
            (-1200, 3600, 1200),
            (1200, 900, 0),
            (-1200, 900, 840),
            (-86_400, 43_200, 43_140),
            (86_400, 900, 0),
        ] {
            let clock = ManualClock::ahead_of_aws(NOW, ahead);
            let expiration = clock.aws_now() + Duration::from_secs(lifetime);
            let credentials = Credentials::received("ASIA1", &"s".into(), &"t".into(), expiration, &*clock);
            assert_eq!(credentials.remaining(&*clock).as_secs(), lifetime, "{ahead}");
            assert_eq!(
                told(&credentials, &*clock),
                expiration - Duration::from_secs(earlier),
                "{ahead}"
            );
            let by_local_clock = told(&credentials, &*clock)
                .duration_since(clock.wall())
                .unwrap_or_default();
            let margin = Duration::from_secs(lifetime) + USABLE_MARGIN + Duration::from_secs(86_400);
            assert!(by_local_clock <= margin, "{ahead}");
            clock.pass(Duration::from_secs(lifetime - 61));
            assert!(credentials.usable(&*clock), "{ahead}");
            clock.pass(Duration::from_secs(1));
            assert!(!credentials.usable(&*clock), "{ahead}");
        }
    }

    #[test]
    fn a_clock_that_is_set_right_changes_what_is_told_and_not_the_life() {
        for ahead in [-1200, 1200] {
            let clock = ManualClock::ahead_of_aws(NOW, ahead);
            let expiration = clock.aws_now() + Duration::from_secs(3600);
            let credentials = Credentials::received("ASIA1", &"s".into(), &"t".into(), expiration, &*clock);
            clock.pass(Duration::from_secs(10));
            clock.step_to(clock.aws_now());
            assert_eq!(credentials.remaining(&*clock).as_secs(), 3590, "{ahead}");
            assert_eq!(told(&credentials, &*clock), expiration, "{ahead}");
        }
    }

    #[test]
    fn a_machine_that_stood_still_unnoticed_does_not_lengthen_a_life() {
        let clock = ManualClock::ahead_of_aws(NOW, 0);
        let expiration = clock.aws_now() + Duration::from_secs(3600);
        let credentials = Credentials::received("ASIA1", &"s".into(), &"t".into(), expiration, &*clock);
        clock.step_to(clock.wall() + Duration::from_secs(3000));
        assert_eq!(credentials.remaining(&*clock).as_secs(), 600);
        clock.step_to(clock.wall() + Duration::from_secs(600));
        assert!(!credentials.usable(&*clock));
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
