//! The cache through which the threads share web identity tokens: one for each audience that an access rule names.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use super::web_token::WebToken;
use crate::clock::Clock;
use crate::status::{Details, Part, Reporter, StatusHub, phases};

phases! {
    /// The state of the token for an audience.
    WebTokenPhase {
        /// No token has been requested or received yet.
        Waiting = "waiting", WebTokenWaiting;
        /// A usable token is available.
        Valid = "valid", WebTokenValid;
        /// No usable token is available, and the last attempt failed.
        Failing = "failing", WebTokenFailing;
    }
}

/// Status fields of a token besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WebTokenDetails {
    /// The audience.
    pub audience: String,
    /// Expiration of the token, RFC 3339.
    pub expiration: Option<String>,
    /// Time of the next request, RFC 3339.
    pub next_refresh: Option<String>,
    /// Number of requests to AWS since start that returned a token.
    pub succeeded: u64,
    /// Number of those that failed.
    pub failed: u64,
}

impl Details for WebTokenDetails {}

/// The status of the token for an audience.
pub type WebTokenPart = Part<WebTokenPhase, WebTokenDetails>;

/// The token for an audience at one moment.
#[derive(Clone, Debug)]
pub struct CachedWebToken {
    /// The status.
    pub status: WebTokenPart,
    /// The last token, usable or not.
    pub token: Option<WebToken>,
}

/// The writing end of an audience, for the task that requests its tokens.
#[derive(Debug)]
pub struct WebTokenReporter {
    audience: String,
    status: Reporter<WebTokenPhase, WebTokenDetails>,
    token: watch::Sender<Option<WebToken>>,
}

/// The reading end of an audience.
#[derive(Clone, Debug)]
struct WebTokenReader {
    status: watch::Receiver<WebTokenPart>,
    token: watch::Receiver<Option<WebToken>>,
}

/// Read access to the token of each audience. Clones follow each change of the configuration.
#[derive(Clone, Debug)]
pub struct WebTokenCache(watch::Receiver<Arc<BTreeMap<String, WebTokenReader>>>);

/// Changes the audiences.
#[derive(Debug)]
pub struct WebTokenCacheEditor {
    readers: watch::Sender<Arc<BTreeMap<String, WebTokenReader>>>,
    hub: StatusHub,
}

/// Audiences added and removed by a change of the configuration.
#[derive(Debug, Default)]
pub struct WebTokenChanges {
    /// The writing ends of new audiences.
    pub added: Vec<WebTokenReporter>,
    /// Audiences that no rule names any more.
    pub removed: Vec<String>,
}

impl WebTokenReporter {
    fn new(audience: &str, hub: &StatusHub) -> Self {
        let details = WebTokenDetails {
            audience: audience.to_owned(),
            ..WebTokenDetails::default()
        };
        Self {
            audience: audience.to_owned(),
            status: hub.reporter(format!("token for {audience}"), WebTokenPhase::Waiting, details),
            token: watch::Sender::new(None),
        }
    }

    /// Returns the audience.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Returns the reporter of the status, which has no secrets.
    pub fn status(&self) -> &Reporter<WebTokenPhase, WebTokenDetails> {
        &self.status
    }

    /// Returns the remaining lifetime of the token in the cache, if it is usable.
    pub fn usable_for(&self, clock: &dyn Clock) -> Option<Duration> {
        let token = self.token.borrow();
        token
            .as_ref()
            .filter(|token| token.is_usable(clock))
            .map(|token| token.remaining(clock))
    }

    /// Replaces the token. To be called before it is reported as valid.
    pub fn store(&self, token: WebToken) {
        self.token.send_replace(Some(token));
    }
}

impl WebTokenReader {
    /// Returns the token as it is now. One that has expired since the last report no longer counts as valid.
    fn read(&self, clock: &dyn Clock) -> CachedWebToken {
        // The status first: the token that it calls valid is stored by then.
        let mut status = self.status.borrow().clone();
        let token = self.token.borrow().clone();
        let is_usable = token.as_ref().is_some_and(|token| token.is_usable(clock));
        if status.phase == WebTokenPhase::Valid && !is_usable {
            status.phase = WebTokenPhase::Failing;
        }
        CachedWebToken { status, token }
    }
}

impl WebTokenCache {
    /// Returns the token for an audience as it is now; `None` if no rule names the audience.
    pub fn get(&self, audience: &str, clock: &dyn Clock) -> Option<CachedWebToken> {
        let readers = self.0.borrow().clone();
        readers.get(audience).map(|reader| reader.read(clock))
    }

    /// Returns the status of the token for each audience as it is now, ordered by audience.
    pub fn parts(&self, clock: &dyn Clock) -> Vec<WebTokenPart> {
        let readers = self.0.borrow().clone();
        readers.values().map(|reader| reader.read(clock).status).collect()
    }
}

impl WebTokenCacheEditor {
    /// Creates an empty cache.
    pub fn new(hub: StatusHub) -> Self {
        Self {
            readers: watch::Sender::default(),
            hub,
        }
    }

    /// Returns read access to the cache.
    pub fn cache(&self) -> WebTokenCache {
        WebTokenCache(self.readers.subscribe())
    }

    /// Configures exactly these audiences. Those that are configured already keep their tokens.
    pub fn set<'a>(&self, audiences: impl IntoIterator<Item = &'a str>) -> WebTokenChanges {
        let mut before = (**self.readers.borrow()).clone();
        let mut readers = BTreeMap::new();
        let mut changes = WebTokenChanges::default();
        for audience in audiences {
            if readers.contains_key(audience) {
                continue;
            }
            let reader = before.remove(audience).unwrap_or_else(|| {
                let reporter = WebTokenReporter::new(audience, &self.hub);
                let reader = WebTokenReader {
                    status: reporter.status.watch(),
                    token: reporter.token.subscribe(),
                };
                changes.added.push(reporter);
                reader
            });
            readers.insert(audience.to_owned(), reader);
        }
        changes.removed = before.into_keys().collect();
        self.readers.send_replace(Arc::new(readers));
        self.hub.notify();
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::credentials::web_token::tests::{NOW, VAULT, token};

    #[test]
    fn a_change_of_the_rules_leaves_the_other_audiences_alone() {
        let clock = ManualClock::at(NOW);
        let editor = WebTokenCacheEditor::new(StatusHub::new(clock.clone()));
        let cache = editor.cache();
        let changes = editor.set([VAULT, VAULT, "api"]);
        assert_eq!((changes.added.len(), changes.removed.len()), (2, 0));
        let vault = changes
            .added
            .iter()
            .find(|reporter| reporter.audience() == VAULT)
            .unwrap();
        vault.store(token(900, &*clock));
        vault.status().report(WebTokenPhase::Valid, None);
        let changes = editor.set([VAULT, "other"]);
        assert_eq!(changes.removed, ["api"]);
        let found: Vec<String> = cache
            .parts(&*clock)
            .into_iter()
            .map(|part| part.details.audience)
            .collect();
        assert_eq!(found, [VAULT, "other"]);
        let phase = || cache.get(VAULT, &*clock).unwrap().status.phase;
        assert_eq!(phase(), WebTokenPhase::Valid);
        clock.pass(Duration::from_secs(900));
        assert_eq!(phase(), WebTokenPhase::Failing);
        assert!(cache.get("api", &*clock).is_none());
    }
}
