//! The shelf on which the wings share credentials.
//!
//! The cloud wing's keepers put sets on the shelf; the local wing reads them. A set is never taken off because a refresh
//! failed, only because it has expired.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use super::Credentials;
use crate::clock::Clock;
use crate::status::{Details, Part, Repeats, Reporter, StatusHub, hash_of, phases};

phases! {
    /// A role alias's state.
    AliasPhase {
        /// Nothing asked for yet, or nothing came yet.
        Waiting = "waiting", AliasWaiting;
        /// Good credentials are there.
        Valid = "valid", AliasValid;
        /// None are there, and the last attempt failed.
        Failing = "failing", AliasFailing;
    }
}

/// How many requests for credentials ended how.
#[derive(Clone, Copy, Debug, Default, Serialize)]
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
    /// How often a refresh has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<Repeats>,
    /// How many refreshes have failed since the last that succeeded.
    #[serde(skip)]
    pub failed_in_a_row: u32,
    /// Numbers of requests since start, by result.
    pub refreshes: Refreshes,
    /// The last good set.
    #[serde(skip)]
    pub credentials: Option<Credentials>,
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

/// The reading ends of every configured role alias, by name; clones see the same aliases, whenever they are configured.
#[derive(Clone, Debug)]
pub struct CredentialCache(watch::Receiver<Arc<Places>>);

/// The configured role aliases.
#[derive(Clone, Debug, Default)]
struct Places {
    aliases: BTreeMap<String, watch::Receiver<AliasPart>>,
    default: Option<String>,
}

/// Decides which role aliases there are.
#[derive(Debug)]
pub struct CredentialCacheEditor {
    places: watch::Sender<Arc<Places>>,
    hub: StatusHub,
}

/// Role aliases added and removed by a change of the configuration.
#[derive(Debug, Default)]
pub struct AliasChanges {
    /// The reporting ends of new aliases.
    pub added: Vec<AliasReporter>,
    /// The names of those that are not configured any more.
    pub removed: Vec<String>,
}

impl CredentialCache {
    /// A shelf for `names`, and the reporting ends of its places.
    pub fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        default: Option<&str>,
        hub: &StatusHub,
    ) -> (Self, Vec<AliasReporter>) {
        let editor = CredentialCacheEditor::new(hub.clone());
        let changes = editor.set(names, default);
        (editor.cache(), changes.added)
    }

    /// One alias as it is now; `None` where it is not configured.
    pub fn get(&self, alias: &str, clock: &dyn Clock) -> Option<AliasPart> {
        let places = self.0.borrow().clone();
        let place = places.aliases.get(alias)?;
        Some(places.part(place, clock))
    }

    /// The place of each alias.
    pub fn places(&self) -> Vec<watch::Receiver<AliasPart>> {
        self.0.borrow().aliases.values().cloned().collect()
    }

    /// Returns once other aliases are configured than before. Cancel safe.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody configures any more.
            std::future::pending::<()>().await;
        }
    }

    /// The alias that a request without a name means.
    pub fn default_alias(&self) -> Option<String> {
        self.0.borrow().default.clone()
    }

    /// The alias that every request means, because there is no other.
    pub fn only_alias(&self) -> Option<String> {
        let places = self.0.borrow();
        let mut names = places.aliases.keys();
        names.next().filter(|_| names.next().is_none()).cloned()
    }

    /// Every alias as it is now, by name.
    pub fn parts(&self, clock: &dyn Clock) -> Vec<AliasPart> {
        let places = self.0.borrow().clone();
        let parts = places.aliases.values().map(|place| places.part(place, clock));
        parts.collect()
    }
}

impl Places {
    fn part(&self, place: &watch::Receiver<AliasPart>, clock: &dyn Clock) -> AliasPart {
        let mut part = place.borrow().clone().at_present(clock);
        part.details.default = self.default.as_ref() == Some(&part.details.name);
        part
    }
}

impl CredentialCacheEditor {
    /// An empty shelf's editor.
    pub fn new(hub: StatusHub) -> Self {
        Self {
            places: watch::Sender::default(),
            hub,
        }
    }

    /// The shelf.
    pub fn cache(&self) -> CredentialCache {
        CredentialCache(self.places.subscribe())
    }

    /// Configures these aliases and no others. Those that are configured already keep what they have.
    pub fn set<'a>(&self, names: impl IntoIterator<Item = &'a str>, default: Option<&str>) -> AliasChanges {
        let mut before = self.places.borrow().aliases.clone();
        let mut places = Places {
            aliases: BTreeMap::new(),
            default: default.map(str::to_owned),
        };
        let mut changes = AliasChanges::default();
        for name in names {
            let place = before.remove(name).unwrap_or_else(|| {
                let details = AliasDetails {
                    name: name.to_owned(),
                    ..AliasDetails::default()
                };
                let reporter = self
                    .hub
                    .reporter(format!("role alias {name}"), AliasPhase::Waiting, details);
                let place = reporter.watch();
                changes.added.push(reporter);
                place
            });
            places.aliases.insert(name.to_owned(), place);
        }
        changes.removed = before.into_keys().collect();
        self.places.send_replace(Arc::new(places));
        self.hub.ring();
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::credentials::set::tests::{NOW, set};
    use crate::problem::Problem;

    #[test]
    fn a_problem_does_not_take_good_credentials_away() {
        let clock = ManualClock::at(NOW);
        let (cache, reporters) = CredentialCache::new(["telemetry"], None, &StatusHub::new(clock.clone()));
        let good = set(3600, &*clock);
        reporters[0].report_with(AliasPhase::Valid, None, |details| details.credentials = Some(good));
        reporters[0].report(AliasPhase::Valid, Some(Problem::wait("AWS answered 500")));
        assert_eq!(cache.get("telemetry", &*clock).unwrap().phase, AliasPhase::Valid);
        clock.pass(Duration::from_secs(3600));
        let part = cache.get("telemetry", &*clock).unwrap();
        assert_eq!(
            (part.phase, part.usable(&*clock).is_none()),
            (AliasPhase::Failing, true)
        );
    }

    #[test]
    fn aliases_come_and_go_and_the_others_notice_nothing() {
        let clock = ManualClock::at(NOW);
        let editor = CredentialCacheEditor::new(StatusHub::new(clock.clone()));
        let cache = editor.cache();
        let first = editor.set(["telemetry", "video"], Some("telemetry"));
        assert_eq!((first.added.len(), first.removed.len()), (2, 0));
        let good = set(3600, &*clock);
        first.added[0].report_with(AliasPhase::Valid, None, |details| details.credentials = Some(good));
        assert_eq!(cache.default_alias().as_deref(), Some("telemetry"));
        for (names, default, added, removed) in [
            (&["telemetry", "video"][..], Some("video"), &[][..], &[][..]),
            (&["telemetry", "upload"], None, &["upload"], &["video"]),
            (&["telemetry"], Some("telemetry"), &[], &["upload"]),
            (&["a", "telemetry", "video"], Some("a"), &["a", "video"], &[]),
        ] {
            let changes = editor.set(names.iter().copied(), default);
            let names_of = |reporters: &[AliasReporter]| -> Vec<String> {
                reporters
                    .iter()
                    .map(|one| one.watch().borrow().details.name.clone())
                    .collect()
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
            assert_eq!(cache.get("telemetry", &*clock).unwrap().phase, AliasPhase::Valid);
            assert_eq!(cache.only_alias().is_some(), names.len() == 1);
        }
        assert!(cache.get("upload", &*clock).is_none());
        // What comes back begins anew.
        let nothing = editor.set([], None);
        assert_eq!(nothing.removed, ["a", "telemetry", "video"]);
        editor.set(["telemetry"], None);
        assert_eq!(cache.get("telemetry", &*clock).unwrap().phase, AliasPhase::Waiting);
    }
}
