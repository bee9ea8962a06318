//! A set of temporary AWS credentials and its lifetime.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::clock::{Clock, Skew, rfc3339};
use crate::secret::{ExposeSecret, SecretBody, SecretString};

/// Minimum remaining lifetime of a set that is handed out: a caller needs time to use it.
pub const USABLE_MARGIN: Duration = Duration::from_secs(60);

/// Maximum lifetime of the credentials of a role alias (CreateRoleAlias, credentialDurationSeconds). A longer one is an error.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Skew up to which the expiration is not adjusted if the wall clock is behind AWS's: an SDK replaces a set at least 10 s before its
/// expiration.
const NEGLIGIBLE_SKEW: Duration = Duration::from_secs(5);

/// Bytes of a response besides its secrets: names, punctuation, version, expiration.
const FRAME: usize = 256;

/// One set of temporary credentials.
#[derive(Clone, Debug)]
pub struct Credentials {
    expiration: SystemTime,
    /// Boottime at which the set expires, by the lifetime that it had when it was received.
    expires_at_boot: Duration,
    body: SecretBody,
    /// The expiration in `body`.
    shown_expiration: SystemTime,
    keys: Arc<Keys>,
    thing_name: Arc<str>,
}

/// The keys of a set, for signing.
#[derive(Debug)]
pub struct Keys {
    /// The ID of the access key, which is not a secret.
    pub access_key_id: String,
    secret_access_key: SecretString,
    session_token: SecretString,
}

impl Keys {
    /// Returns the secret access key.
    pub fn secret_access_key(&self) -> &str {
        self.secret_access_key.expose_secret()
    }

    /// Returns the session token, which AWS treats as a secret too.
    pub fn session_token(&self) -> &str {
        self.session_token.expose_secret()
    }
}

/// The response body, in a format for both credential_process (`SessionToken`) and the container providers (`Token`).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseBody<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    token: &'a str,
    expiration: String,
}

impl Credentials {
    /// Creates a set that AWS has just issued. Its lifetime by AWS's time is counted on the boottime clock from now on.
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
        let shown_expiration = expiration_by_wall_clock(expiration, clock);
        Self {
            expiration,
            expires_at_boot: clock.boot().saturating_add(lifetime),
            body: create_body(&keys, shown_expiration),
            shown_expiration,
            keys: Arc::new(keys),
            thing_name: Arc::default(),
        }
    }

    /// Sets the name of the thing that the set was issued for.
    #[must_use]
    pub fn for_thing(mut self, thing_name: &str) -> Self {
        self.thing_name = thing_name.into();
        self
    }

    /// Sets the expiry by the boottime clock, for a set that was received earlier.
    #[must_use]
    pub(super) fn expiring_at_boot(mut self, expires_at_boot: Duration) -> Self {
        self.expires_at_boot = expires_at_boot;
        self
    }

    /// Returns the response body. It is created once, and again only if the wall clock is behind AWS's and has been set since.
    pub fn body(&self, clock: &dyn Clock) -> SecretBody {
        let shown_expiration = expiration_by_wall_clock(self.expiration, clock);
        match shown_expiration == self.shown_expiration {
            true => self.body.clone(),
            false => create_body(&self.keys, shown_expiration),
        }
    }

    /// Returns the expiration to show to programs, which compare it with this machine's clock.
    pub fn shown_expiration(&self, clock: &dyn Clock) -> SystemTime {
        expiration_by_wall_clock(self.expiration, clock)
    }

    /// Returns the keys for signing.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Returns the expiration by AWS's clock.
    pub fn expiration(&self) -> SystemTime {
        self.expiration
    }

    /// Returns the expiry by the boottime clock.
    pub(super) fn expires_at_boot(&self) -> Duration {
        self.expires_at_boot
    }

    /// Returns the name of the thing that the set was issued for.
    pub fn thing_name(&self) -> &str {
        &self.thing_name
    }

    /// Returns how long AWS still accepts the set: by its expiration and AWS's time, and no longer than the lifetime it had when it was
    /// received. Zero once it has expired.
    pub fn remaining(&self, clock: &dyn Clock) -> Duration {
        let by_aws = self.expiration.duration_since(clock.latest_aws_now());
        let by_boot = self.expires_at_boot.saturating_sub(clock.boot());
        by_aws.unwrap_or_default().min(by_boot)
    }

    /// Returns whether the set may still be handed out.
    pub fn usable(&self, clock: &dyn Clock) -> bool {
        self.remaining(clock) > USABLE_MARGIN
    }
}

/// Returns the expiration to show to programs, whose SDKs compare it with this machine's clock.
///
/// If that clock is behind AWS's, the expiration is moved forward by the skew, so that programs replace the set before AWS rejects it,
/// but not to a time that AWS's clock has already passed. If the clock is ahead, the expiration is not adjusted: programs then replace
/// the set earlier than necessary, and no program uses it for too long after the clock is set right.
fn expiration_by_wall_clock(expiration: SystemTime, clock: &dyn Clock) -> SystemTime {
    let behind = clock.skew().map(Skew::behind).unwrap_or_default();
    if behind <= NEGLIGIBLE_SKEW {
        return expiration;
    }
    let earlier = expiration.checked_sub(behind).unwrap_or(expiration);
    let earliest = clock.aws_now().checked_add(USABLE_MARGIN).unwrap_or(expiration);
    earlier.max(earliest).min(expiration)
}

/// Creates the response body with this expiration.
fn create_body(keys: &Keys, expiration: SystemTime) -> SecretBody {
    let response = ResponseBody {
        version: 1,
        access_key_id: &keys.access_key_id,
        secret_access_key: keys.secret_access_key(),
        session_token: keys.session_token(),
        token: keys.session_token(),
        expiration: rfc3339(expiration),
    };
    // Allocated in full, because a buffer that grows leaves copies of secrets in memory. The token occurs twice, and JSON escapes
    // quotation marks and backslashes with a second character.
    let secrets = response.secret_access_key.len() + 2 * response.token.len();
    let mut text = Vec::with_capacity(FRAME + 2 * (response.access_key_id.len() + secrets));
    // Serialising strings and a number cannot fail.
    let _ = serde_json::to_writer(&mut text, &response);
    text.push(b'\n');
    SecretBody::new(text)
}

#[cfg(test)]
pub(super) mod tests;
