//! One configured role alias: its status, and the credentials that AWS has issued for it.

use serde::Serialize;
use tokio::sync::watch;

use super::Credentials;
use crate::clock::Clock;
use crate::status::{Details, Part, Repeats, Reporter, StatusHub, hash_of, phases};

phases! {
    /// The state of a role alias.
    AliasPhase {
        /// No credentials have been requested or received yet.
        Waiting = "waiting", AliasWaiting;
        /// Usable credentials are available.
        Valid = "valid", AliasValid;
        /// No usable credentials are available, and the last attempt failed.
        Failing = "failing", AliasFailing;
    }
}

/// Number of requests for credentials since start, by result.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Refreshes {
    /// Requests that returned credentials.
    pub succeeded: u64,
    /// Requests that failed in a way that a retry may resolve.
    pub transient: u64,
    /// Requests that AWS refused.
    pub refused: u64,
}

/// Status fields of a role alias besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AliasDetails {
    /// The name of the role alias in AWS.
    pub name: String,
    /// Whether requests that name no role alias use this one.
    pub default: bool,
    /// Expiration of the credentials, RFC 3339.
    pub expiration: Option<String>,
    /// Time at which the credentials were received, RFC 3339.
    pub refreshed: Option<String>,
    /// Time of the next request, RFC 3339.
    pub next_refresh: Option<String>,
    /// Failed refreshes; an outage counts once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<Repeats>,
    /// Number of consecutive failed refreshes.
    #[serde(skip)]
    pub failed_in_a_row: u32,
    /// Number of requests since start, by result.
    pub refreshes: Refreshes,
}

impl Details for AliasDetails {
    fn role_alias(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn verdict_input(&self) -> u64 {
        let failures = self.failures.as_ref().map(|failures| failures.times);
        hash_of((self.failed_in_a_row, failures))
    }
}

/// The status of a role alias.
pub type AliasPart = Part<AliasPhase, AliasDetails>;

/// A set of credentials and the time at which it was received.
#[derive(Clone, Debug)]
pub struct ReceivedSet {
    /// The credentials.
    pub credentials: Credentials,
    /// Time at which they were received, RFC 3339.
    pub refreshed: Option<String>,
}

/// A role alias at one moment.
#[derive(Clone, Debug)]
pub struct CachedAlias {
    /// The status.
    pub status: AliasPart,
    /// The last good set, usable or not.
    pub set: Option<ReceivedSet>,
}

impl CachedAlias {
    /// Returns the credentials that a caller may have now.
    pub fn usable(&self, clock: &dyn Clock) -> Option<&Credentials> {
        let credentials = &self.set.as_ref()?.credentials;
        credentials.usable(clock).then_some(credentials)
    }
}

/// The writing end of a role alias, for the task that refreshes its credentials.
#[derive(Debug)]
pub struct AliasReporter {
    name: String,
    status: Reporter<AliasPhase, AliasDetails>,
    set: watch::Sender<Option<ReceivedSet>>,
}

impl AliasReporter {
    /// Creates a role alias without credentials.
    pub(super) fn new(name: &str, hub: &StatusHub) -> Self {
        let details = AliasDetails {
            name: name.to_owned(),
            ..AliasDetails::default()
        };
        Self {
            name: name.to_owned(),
            status: hub.reporter(format!("role alias {name}"), AliasPhase::Waiting, details),
            set: watch::Sender::new(None),
        }
    }

    /// Returns the name of the role alias.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the reporter of the status, which has no secrets.
    pub fn status(&self) -> &Reporter<AliasPhase, AliasDetails> {
        &self.status
    }

    /// Returns the credentials in the cache, usable or not.
    pub fn credentials(&self) -> Option<Credentials> {
        self.set.borrow().as_ref().map(|set| set.credentials.clone())
    }

    /// Replaces the credentials. To be called before they are reported as valid: a reader that sees the phase `Valid` must find
    /// them.
    pub fn store(&self, set: ReceivedSet) {
        self.set.send_replace(Some(set));
    }

    /// Returns the reading end.
    pub(super) fn reader(&self) -> AliasReader {
        AliasReader {
            status: self.status.watch(),
            set: self.set.subscribe(),
        }
    }
}

/// The reading end of a role alias.
#[derive(Clone, Debug)]
pub struct AliasReader {
    status: watch::Receiver<AliasPart>,
    set: watch::Receiver<Option<ReceivedSet>>,
}

impl AliasReader {
    /// Returns the role alias as it is now. Credentials that have expired since the last report no longer count as valid.
    pub(super) fn read(&self, clock: &dyn Clock) -> CachedAlias {
        // The status first: the credentials that it calls valid are stored by then.
        let status = self.status.borrow().clone();
        let set = self.set.borrow().clone();
        let mut alias = CachedAlias { status, set };
        if alias.status.phase == AliasPhase::Valid && alias.usable(clock).is_none() {
            alias.status.phase = AliasPhase::Failing;
        }
        alias
    }

    /// Returns whether both read the same role alias, rather than one of the same name that was removed and configured again.
    pub fn is_same(&self, other: &Self) -> bool {
        self.set.same_channel(&other.set)
    }

    /// Returns a receiver that is notified of each new set.
    pub fn watch_set(&self) -> watch::Receiver<Option<ReceivedSet>> {
        self.set.clone()
    }
}
