//! Topic filters that are not requested for a time, because AWS refused them or because their subscription ends the connection.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use log::Level;
use tokio::time::Instant;

use crate::event::{Event, journal};
use crate::log_limiter::LogLimiter;
use crate::messages::{DesiredFilter, DesiredFilters, SessionEvent};
use crate::problem::Problem;

/// Time before a refused filter is requested again. It doubles with each refusal in a row. AWS needs a few minutes to apply a change
/// of a policy.
pub(super) const MIN_DELAY: Duration = Duration::from_secs(60);
/// Longest such time, which also applies to a filter that ends the connection.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(3600);
/// Number of refused filters from which on unwanted ones are forgotten.
const MAX_REMEMBERED: usize = 256;

/// Refused filters.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    all: HashMap<String, Refused>,
    /// Limits journal entries about refused filters.
    log_limiter: LogLimiter,
}

/// A refused filter.
#[derive(Debug)]
struct Refused {
    until: Instant,
    /// Length of the current wait.
    wait: Duration,
    why: Problem,
    /// Requests of programs that were told the reason.
    newest_stream: u64,
    /// Time at which the filter was set aside although AWS grants it.
    set_aside: Option<SystemTime>,
}

/// A filter that is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cloud::session) struct SetAside {
    pub(in crate::cloud::session) filter: String,
    pub(in crate::cloud::session) since: SystemTime,
    pub(in crate::cloud::session) why: Problem,
}

/// Result of [`Refusals::check`].
#[derive(Debug)]
pub(super) enum Verdict {
    /// The filter may be requested.
    Allowed,
    /// The filter is refused, and everyone who wants it knows the reason.
    Refused,
    /// The filter is refused, and a program that joined later must be told the reason.
    RefusedAgain(SessionEvent),
}

impl Refusals {
    /// Forgets filters that are unwanted and no longer refused. An unwanted filter stays refused, because otherwise a program could
    /// request it over and over by unsubscribing.
    pub(super) fn tidy(&mut self, desired: &DesiredFilters, now: Instant) {
        let crowded = self.all.len() > MAX_REMEMBERED;
        self.all
            .retain(|filter, refused| desired.contains_key(filter) || (refused.until > now && !crowded));
    }

    /// Refuses the filter for `least`, or for twice the last wait. Returns the event for the inbox.
    pub(super) fn refuse(
        &mut self,
        filter: &str,
        desired: DesiredFilter,
        least: Duration,
        why: Problem,
    ) -> SessionEvent {
        self.insert(filter, desired, least, why, None)
    }

    /// Sets the filter aside although AWS would grant it. Returns the event for the inbox.
    pub(super) fn set_aside(
        &mut self,
        filter: &str,
        desired: DesiredFilter,
        why: Problem,
        now: SystemTime,
    ) -> SessionEvent {
        self.insert(filter, desired, MAX_DELAY, why, Some(now))
    }

    fn insert(
        &mut self,
        filter: &str,
        desired: DesiredFilter,
        least: Duration,
        why: Problem,
        set_aside: Option<SystemTime>,
    ) -> SessionEvent {
        let before = self.all.get(filter).map(|refused| refused.wait);
        let wait = before.map_or(least, |before| least.max(before * 2).min(MAX_DELAY));
        let write = |level, more: &str| {
            journal!(level, Event::FilterRefused, TOPIC = filter; "session: {why}{more}");
        };
        match before {
            None => self.log_limiter.write(write),
            Some(_) => write(Level::Debug, ""),
        }
        let refused = Refused {
            until: Instant::now() + wait,
            wait,
            why: why.clone(),
            newest_stream: desired.newest_stream,
            set_aside,
        };
        self.all.insert(filter.to_owned(), refused);
        SessionEvent::Refused(filter.to_owned(), why)
    }

    /// Lets every filter be requested again. Another refusal waits for longer all the same. Returns whether any was refused.
    pub(super) fn end_all(&mut self, now: Instant) -> bool {
        let waiting = self.all.values_mut().filter(|refused| refused.until > now);
        waiting.map(|refused| refused.until = now).count() > 0
    }

    /// Forgets the refusal of a filter that AWS has granted.
    pub(super) fn forget(&mut self, filter: &str) {
        self.all.remove(filter);
    }

    /// Checks whether the filter may be requested now.
    pub(super) fn check(&mut self, filter: &str, desired: DesiredFilter, now: Instant) -> Verdict {
        let Some(refused) = self.all.get_mut(filter).filter(|refused| refused.until > now) else {
            return Verdict::Allowed;
        };
        if refused.newest_stream >= desired.newest_stream {
            return Verdict::Refused;
        }
        refused.newest_stream = desired.newest_stream;
        Verdict::RefusedAgain(SessionEvent::Refused(filter.to_owned(), refused.why.clone()))
    }

    /// Returns whether the filter is set aside now.
    pub(super) fn is_set_aside(&self, filter: &str, now: Instant) -> bool {
        let refused = self.all.get(filter);
        refused.is_some_and(|refused| refused.set_aside.is_some() && refused.until > now)
    }

    /// Returns the filters that are set aside now, sorted by name.
    pub(super) fn all_set_aside(&self, now: Instant) -> Vec<SetAside> {
        let current = self.all.iter().filter(|(_, refused)| refused.until > now);
        let mut all: Vec<SetAside> = current
            .filter_map(|(filter, refused)| {
                Some(SetAside {
                    filter: filter.clone(),
                    since: refused.set_aside?,
                    why: refused.why.clone(),
                })
            })
            .collect();
        all.sort_by(|one, other| one.filter.cmp(&other.filter));
        all
    }

    /// Returns whether, since the last call, a filter that was set aside may be requested again.
    pub(super) fn has_ended(&mut self, now: Instant) -> bool {
        let mut has_ended = false;
        for refused in self.all.values_mut().filter(|refused| refused.until <= now) {
            has_ended |= refused.set_aside.take().is_some();
        }
        has_ended
    }

    /// Returns the time at which the next filter may be requested again.
    pub(super) fn next_end(&self, now: Instant) -> Option<Instant> {
        let ends = self.all.values().map(|refused| refused.until);
        ends.filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why() -> Problem {
        Problem::wait("no")
    }

    fn with_stream(newest_stream: u64) -> DesiredFilter {
        DesiredFilter {
            newest_stream,
            ..DesiredFilter::default()
        }
    }

    fn is_refused(refusals: &mut Refusals, filter: &str, now: Instant) -> bool {
        !matches!(refusals.check(filter, with_stream(1), now), Verdict::Allowed)
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_doubles_with_each_refusal_up_to_an_hour() {
        let mut refusals = Refusals::default();
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            refusals.refuse("f", with_stream(1), MIN_DELAY, why());
            tokio::time::advance(Duration::from_secs(minutes * 60 - 1)).await;
            assert!(is_refused(&mut refusals, "f", Instant::now()), "{minutes}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(!is_refused(&mut refusals, "f", Instant::now()), "{minutes}");
        }
        refusals.forget("f");
        refusals.refuse("f", with_stream(1), MIN_DELAY, why());
        let end = refusals.next_end(Instant::now());
        assert_eq!(end, Some(Instant::now() + MIN_DELAY), "the first wait applies again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_joins_later_gets_the_reason_once() {
        let mut refusals = Refusals::default();
        let now = Instant::now();
        refusals.refuse("f", with_stream(1), MIN_DELAY, why());
        assert!(matches!(refusals.check("f", with_stream(1), now), Verdict::Refused));
        assert!(matches!(
            refusals.check("f", with_stream(2), now),
            Verdict::RefusedAgain(SessionEvent::Refused(filter, _)) if filter == "f"
        ));
        assert!(matches!(refusals.check("f", with_stream(2), now), Verdict::Refused));
        assert!(matches!(refusals.check("g", with_stream(2), now), Verdict::Allowed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_filter_is_set_aside_for_an_hour() {
        let mut refusals = Refusals::default();
        let since = SystemTime::UNIX_EPOCH;
        refusals.refuse("refused", with_stream(1), MIN_DELAY, why());
        for filter in ["b", "a"] {
            refusals.set_aside(filter, with_stream(1), why(), since);
        }
        let now = Instant::now();
        let names: Vec<String> = refusals.all_set_aside(now).into_iter().map(|one| one.filter).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(refusals.is_set_aside("a", now) && !refusals.is_set_aside("refused", now));
        let later = now + MAX_DELAY;
        assert!(refusals.all_set_aside(later).is_empty() && !refusals.is_set_aside("a", later));
        assert!(!refusals.has_ended(now) && refusals.has_ended(later) && !refusals.has_ended(later));
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_ends_each_wait_and_the_next_one_is_longer_all_the_same() {
        let mut refusals = Refusals::default();
        let now = Instant::now();
        assert!(!refusals.end_all(now), "nothing is refused");
        refusals.refuse("refused", with_stream(1), MIN_DELAY, why());
        refusals.set_aside("aside", with_stream(1), why(), SystemTime::UNIX_EPOCH);
        assert!(refusals.end_all(now) && refusals.has_ended(now));
        for filter in ["refused", "aside"] {
            assert!(!is_refused(&mut refusals, filter, now), "{filter}");
        }
        assert!(refusals.all_set_aside(now).is_empty() && !refusals.end_all(now));
        refusals.refuse("refused", with_stream(1), MIN_DELAY, why());
        assert!(is_refused(&mut refusals, "refused", now + MIN_DELAY));
        assert!(!is_refused(&mut refusals, "refused", now + 2 * MIN_DELAY));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unwanted_filter_stays_refused_within_bounds() {
        let mut refusals = Refusals::default();
        let desired = DesiredFilters::from([("wanted".to_owned(), with_stream(1))]);
        refusals.refuse("wanted", with_stream(1), MIN_DELAY, why());
        refusals.refuse("left", with_stream(1), MIN_DELAY, why());
        let now = Instant::now();
        refusals.tidy(&desired, now);
        assert!(
            is_refused(&mut refusals, "left", now),
            "a program cannot request it again by returning"
        );
        refusals.tidy(&desired, now + MIN_DELAY);
        assert_eq!(refusals.all.len(), 1);
        for number in 0..=MAX_REMEMBERED {
            refusals.refuse(&format!("{number}"), with_stream(1), MIN_DELAY, why());
        }
        refusals.tidy(&desired, now);
        assert_eq!(refusals.all.len(), 1, "too many");
        assert!(refusals.all.contains_key("wanted"), "a wanted filter is kept");
    }
}
