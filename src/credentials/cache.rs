//! The cache through which the threads share credentials.
//!
//! The refresher tasks of the cloud thread store credentials; the local thread reads them. A failed refresh never removes a set; it
//! stops being handed out only when it expires.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::alias::{AliasPart, AliasReader, AliasReporter, CachedAlias};
use super::web_token_cache::{WebTokenCache, WebTokenCacheEditor, WebTokenChanges};
use crate::clock::Clock;
use crate::status::StatusHub;

/// Read access to every configured role alias, by name. Clones follow each change of the configuration.
#[derive(Clone, Debug)]
pub struct CredentialCache {
    aliases: watch::Receiver<Arc<Aliases>>,
    web_tokens: WebTokenCache,
}

/// The configured role aliases.
#[derive(Clone, Debug, Default)]
struct Aliases {
    readers: BTreeMap<String, AliasReader>,
    default: Option<String>,
}

/// Changes which role aliases are configured.
#[derive(Debug)]
pub struct CredentialCacheEditor {
    web_tokens: WebTokenCacheEditor,
    aliases: watch::Sender<Arc<Aliases>>,
    hub: StatusHub,
}

/// Role aliases added and removed by a change of the configuration.
#[derive(Debug, Default)]
pub struct AliasChanges {
    /// The writing ends of new role aliases.
    pub added: Vec<AliasReporter>,
    /// The names of role aliases that are no longer configured.
    pub removed: Vec<String>,
}

impl CredentialCache {
    /// Creates a cache for `names`, and returns it with the writing ends of its role aliases.
    pub fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        default: Option<&str>,
        hub: &StatusHub,
    ) -> (Self, Vec<AliasReporter>) {
        let editor = CredentialCacheEditor::new(hub.clone());
        let changes = editor.set(names, default);
        (editor.cache(), changes.added)
    }

    /// Returns one role alias as it is now; `None` if it is not configured.
    pub fn get(&self, alias: &str, clock: &dyn Clock) -> Option<CachedAlias> {
        let aliases = self.aliases.borrow().clone();
        let reader = aliases.readers.get(alias)?;
        Some(aliases.read(reader, clock))
    }

    /// Returns the reading end of each role alias.
    pub fn readers(&self) -> Vec<AliasReader> {
        self.aliases.borrow().readers.values().cloned().collect()
    }

    /// Waits until the configuration has added or removed role aliases. Cancel safe.
    pub async fn changed(&mut self) {
        if self.aliases.changed().await.is_err() {
            // The editor is gone, so nothing can change any more.
            std::future::pending::<()>().await;
        }
    }

    /// Returns the tokens for services outside AWS.
    pub fn web_tokens(&self) -> &WebTokenCache {
        &self.web_tokens
    }

    /// Waits until the default role alias gets new credentials, or until other role aliases are configured.
    pub async fn default_set_changed(&mut self) {
        let aliases = self.aliases.borrow_and_update().clone();
        let reader = aliases.default.as_ref().and_then(|name| aliases.readers.get(name));
        let set = reader.map(AliasReader::watch_set);
        let set_changed = async {
            match set {
                Some(mut set) => {
                    set.mark_unchanged();
                    // The task of a role alias ends just before the alias is removed.
                    if set.changed().await.is_err() {
                        std::future::pending().await
                    }
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = set_changed => {}
            _ = self.aliases.changed() => {}
        }
    }

    /// Returns the role alias for requests that name none.
    pub fn default_alias(&self) -> Option<String> {
        self.aliases.borrow().default.clone()
    }

    /// Returns the configured role alias if there is exactly one.
    pub fn only_alias(&self) -> Option<String> {
        let aliases = self.aliases.borrow();
        let mut names = aliases.readers.keys();
        names.next().filter(|_| names.next().is_none()).cloned()
    }

    /// Returns every role alias as it is now, ordered by name.
    pub fn aliases(&self, clock: &dyn Clock) -> Vec<CachedAlias> {
        let aliases = self.aliases.borrow().clone();
        let read = aliases.readers.values().map(|reader| aliases.read(reader, clock));
        read.collect()
    }

    /// Returns the status of every role alias as it is now, ordered by name.
    pub fn parts(&self, clock: &dyn Clock) -> Vec<AliasPart> {
        self.aliases(clock).into_iter().map(|alias| alias.status).collect()
    }
}

impl Aliases {
    fn read(&self, reader: &AliasReader, clock: &dyn Clock) -> CachedAlias {
        let mut alias = reader.read(clock);
        let details = &mut alias.status.details;
        details.default = self.default.as_ref() == Some(&details.name);
        alias
    }
}

impl CredentialCacheEditor {
    /// Creates an empty cache.
    pub fn new(hub: StatusHub) -> Self {
        Self {
            web_tokens: WebTokenCacheEditor::new(hub.clone()),
            aliases: watch::Sender::default(),
            hub,
        }
    }

    /// Returns read access to the cache.
    pub fn cache(&self) -> CredentialCache {
        CredentialCache {
            aliases: self.aliases.subscribe(),
            web_tokens: self.web_tokens.cache(),
        }
    }

    /// Configures exactly these audiences of tokens. Those that are configured already keep their tokens.
    pub fn set_audiences<'a>(&self, audiences: impl IntoIterator<Item = &'a str>) -> WebTokenChanges {
        self.web_tokens.set(audiences)
    }

    /// Configures exactly these role aliases. Those that are configured already keep their credentials.
    pub fn set<'a>(&self, names: impl IntoIterator<Item = &'a str>, default: Option<&str>) -> AliasChanges {
        let mut before = self.aliases.borrow().readers.clone();
        let mut aliases = Aliases {
            readers: BTreeMap::new(),
            default: default.map(str::to_owned),
        };
        let mut changes = AliasChanges::default();
        for name in names {
            let reader = before.remove(name).unwrap_or_else(|| {
                let reporter = AliasReporter::new(name, &self.hub);
                let reader = reporter.reader();
                changes.added.push(reporter);
                reader
            });
            aliases.readers.insert(name.to_owned(), reader);
        }
        changes.removed = before.into_keys().collect();
        self.aliases.send_replace(Arc::new(aliases));
        self.hub.notify();
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::credentials::set::tests::{NOW, set};
    use crate::credentials::{AliasPhase, ReceivedSet};
    use crate::problem::Problem;

    /// Stores a set that lives for an hour, and reports the role alias as valid.
    fn fill(reporter: &AliasReporter, clock: &dyn Clock) {
        reporter.store(ReceivedSet {
            credentials: set(3600, clock),
            refreshed: None,
        });
        reporter.status().report(AliasPhase::Valid, None);
    }

    #[test]
    fn a_problem_does_not_take_good_credentials_away() {
        let clock = ManualClock::at(NOW);
        let (cache, reporters) = CredentialCache::new(["telemetry"], None, &StatusHub::new(clock.clone()));
        fill(&reporters[0], &*clock);
        reporters[0]
            .status()
            .report(AliasPhase::Valid, Some(Problem::wait("AWS answered 500")));
        assert_eq!(cache.get("telemetry", &*clock).unwrap().status.phase, AliasPhase::Valid);
        clock.pass(Duration::from_secs(3600));
        let alias = cache.get("telemetry", &*clock).unwrap();
        assert_eq!(
            (alias.status.phase, alias.usable(&*clock).is_none()),
            (AliasPhase::Failing, true)
        );
    }

    #[test]
    fn a_change_of_the_configuration_leaves_the_other_aliases_alone() {
        let clock = ManualClock::at(NOW);
        let editor = CredentialCacheEditor::new(StatusHub::new(clock.clone()));
        let cache = editor.cache();
        let first = editor.set(["telemetry", "video"], Some("telemetry"));
        assert_eq!((first.added.len(), first.removed.len()), (2, 0));
        fill(&first.added[0], &*clock);
        assert_eq!(cache.default_alias().as_deref(), Some("telemetry"));
        for (names, default, added, removed) in [
            (&["telemetry", "video"][..], Some("video"), &[][..], &[][..]),
            (&["telemetry", "upload"], None, &["upload"], &["video"]),
            (&["telemetry"], Some("telemetry"), &[], &["upload"]),
            (&["a", "telemetry", "video"], Some("a"), &["a", "video"], &[]),
        ] {
            let changes = editor.set(names.iter().copied(), default);
            let names_of = |reporters: &[AliasReporter]| -> Vec<String> {
                reporters.iter().map(|reporter| reporter.name().to_owned()).collect()
            };
            assert_eq!(
                (names_of(&changes.added), changes.removed.as_slice()),
                (
                    added.iter().map(|name| (*name).to_owned()).collect(),
                    removed
                        .iter()
                        .map(|name| (*name).to_owned())
                        .collect::<Vec<_>>()
                        .as_slice(),
                )
            );
            let parts = cache.parts(&*clock);
            let found: Vec<_> = parts.iter().map(|part| part.details.name.as_str()).collect();
            assert_eq!(found, names);
            let marked: Vec<_> = parts.iter().filter(|part| part.details.default).collect();
            assert_eq!(marked.first().map(|part| part.details.name.as_str()), default);
            assert_eq!(cache.get("telemetry", &*clock).unwrap().status.phase, AliasPhase::Valid);
            assert_eq!(cache.only_alias().is_some(), names.len() == 1);
        }
        assert!(cache.get("upload", &*clock).is_none());
        // An alias that is configured again starts without credentials.
        let nothing = editor.set([], None);
        assert_eq!(nothing.removed, ["a", "telemetry", "video"]);
        editor.set(["telemetry"], None);
        assert_eq!(
            cache.get("telemetry", &*clock).unwrap().status.phase,
            AliasPhase::Waiting
        );
    }
}
