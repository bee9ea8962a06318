//! Web identity tokens: JWTs in which AWS states which role this gateway has, for one audience outside AWS.

use std::time::{Duration, SystemTime};

use crate::clock::{Clock, rfc3339};
use crate::secret::{ExposeSecret, SecretBody, SecretString};
use serde::Serialize;

/// Minimum remaining lifetime of a token that is handed out: a caller needs time to use it.
const USABLE_MARGIN: Duration = Duration::from_secs(30);
/// Bytes of a response besides the token and its audience.
const FRAME: usize = 128;

/// A token.
#[derive(Clone, Debug)]
pub struct WebToken {
    expiration: SystemTime,
    expires_at_boot: Duration,
    body: SecretBody,
}

/// The body of a response.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseBody<'a> {
    token: &'a str,
    audience: &'a str,
    expiration: String,
}

impl WebToken {
    /// Creates a token that AWS has just issued. Its lifetime by AWS's time is counted on the boottime clock from now on.
    pub fn received(audience: &str, token: &SecretString, expiration: SystemTime, clock: &dyn Clock) -> Self {
        let lifetime = expiration.duration_since(clock.aws_now()).unwrap_or_default();
        let token = token.expose_secret();
        let body = ResponseBody {
            token,
            audience,
            expiration: rfc3339(expiration),
        };
        // With enough space from the start nothing is copied, so that no second copy is left unwiped.
        let mut bytes = Vec::with_capacity(token.len() + 6 * audience.len() + FRAME);
        // Strings can always be written as JSON.
        let _ = serde_json::to_writer(&mut bytes, &body);
        Self {
            expiration,
            expires_at_boot: clock.boot().saturating_add(lifetime),
            body: SecretBody::new(bytes),
        }
    }

    /// Returns the expiration by AWS's time.
    pub fn expiration(&self) -> SystemTime {
        self.expiration
    }

    /// Returns the remaining lifetime.
    pub fn remaining(&self, clock: &dyn Clock) -> Duration {
        self.expires_at_boot.saturating_sub(clock.boot())
    }

    /// Returns whether a caller may have it now.
    pub fn is_usable(&self, clock: &dyn Clock) -> bool {
        self.remaining(clock) > USABLE_MARGIN
    }

    /// Returns the response's body.
    pub fn body(&self) -> &SecretBody {
        &self.body
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    /// 2027-01-15T08:00:00Z.
    pub(in crate::credentials) const NOW: u64 = 1_800_000_000;
    pub(in crate::credentials) const VAULT: &str = "https://vault.example";

    pub(in crate::credentials) fn token(lifetime: u64, clock: &dyn Clock) -> WebToken {
        let expiration = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + lifetime);
        WebToken::received(VAULT, &SecretString::from("a.b.c"), expiration, clock)
    }

    #[test]
    fn a_token_is_handed_out_until_shortly_before_its_end() {
        let clock = ManualClock::at(NOW);
        let token = token(900, &*clock);
        let body: serde_json::Value = serde_json::from_slice(&token.body().expose()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"Token": "a.b.c", "Audience": VAULT, "Expiration": "2027-01-15T08:15:00Z"})
        );
        for (passed, usable) in [(0, true), (869, true), (1, false), (30, false), (100_000, false)] {
            clock.pass(Duration::from_secs(passed));
            assert_eq!(token.is_usable(&*clock), usable, "{passed}");
        }
        assert!(!format!("{token:?}").contains("a.b.c"));
    }
}
