//! The shelf on which the wings share credentials.
//!
//! The cloud wing's keepers put sets on the shelf; the local wing reads them. A set is never taken off because a refresh
//! failed, only because it has expired.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::sync::watch;

use super::Credentials;
use crate::clock::Clock;
use crate::status::{Desk, Details, Part, Reporter, phases};

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
    /// What came of the requests since start.
    pub refreshes: Refreshes,
    /// The last good set.
    #[serde(skip)]
    pub credentials: Option<Credentials>,
}

impl Details for AliasDetails {
    fn role_alias(&self) -> Option<&str> {
        Some(&self.name)
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

    /// The place of each alias.
    pub fn places(&self) -> impl Iterator<Item = &watch::Receiver<AliasPart>> {
        self.aliases.values()
    }

    /// The alias that a request without a name means.
    pub fn default_alias(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// The alias that every request means, because there is no other.
    pub fn only_alias(&self) -> Option<&str> {
        let mut names = self.aliases.keys();
        names.next().filter(|_| names.next().is_none()).map(String::as_str)
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
    use std::time::Duration;

    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::credentials::set::tests::{NOW, set};
    use crate::problem::Problem;

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
