//! Topic filters that are not asked for at the moment, and why: AWS has refused them, or something has followed their
//! subscription each time that ends the connection.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use log::Level;
use tokio::time::Instant;

use crate::event::{Event, journal};
use crate::log_limiter::LogLimiter;
use crate::messages::{SessionEvent, Wanted, WantedFilter};
use crate::problem::Problem;

/// A refused filter is not asked for again for so long, and each time in a row for twice as long: a change of policy takes AWS
/// a few minutes.
pub(super) const REFUSED: Duration = Duration::from_secs(60);
/// The longest such time; the same for one that ends the connection.
pub(super) const QUARANTINE: Duration = Duration::from_secs(3600);
/// Refused filters that are remembered though nobody wants them at the moment.
const REMEMBERED: usize = 256;

/// The filters that are left alone.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    all: HashMap<String, Refused>,
    lines: LogLimiter,
}

#[derive(Debug)]
struct Refused {
    until: Instant,
    /// How long that was.
    wait: Duration,
    why: Problem,
    asked: u64,
    /// When it was set aside, where AWS grants the filter and it is left alone all the same.
    set_aside: Option<SystemTime>,
}

/// A filter whose subscription is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cloud::session) struct SetAside {
    pub(in crate::cloud::session) filter: String,
    pub(in crate::cloud::session) since: SystemTime,
    pub(in crate::cloud::session) why: Problem,
}

impl Refusals {
    /// Forgets what nobody wants and what is over, but not so soon that a program could ask all the time.
    pub(super) fn tidy(&mut self, wanted: &Wanted, now: Instant) {
        let crowded = self.all.len() > REMEMBERED;
        self.all
            .retain(|filter, refused| wanted.contains_key(filter) || (refused.until > now && !crowded));
    }

    /// Leaves the filter alone for `least`, or twice as long as the last time in a row. Returns what the inbox is to hear.
    pub(super) fn refuse(&mut self, filter: &str, wanted: WantedFilter, least: Duration, why: Problem) -> SessionEvent {
        self.leave_alone(filter, wanted, least, why, None)
    }

    /// Leaves the filter alone though AWS would grant it. Returns what the inbox is to hear.
    pub(super) fn set_aside(
        &mut self,
        filter: &str,
        wanted: WantedFilter,
        why: Problem,
        now: SystemTime,
    ) -> SessionEvent {
        self.leave_alone(filter, wanted, QUARANTINE, why, Some(now))
    }

    fn leave_alone(
        &mut self,
        filter: &str,
        wanted: WantedFilter,
        least: Duration,
        why: Problem,
        set_aside: Option<SystemTime>,
    ) -> SessionEvent {
        let before = self.all.get(filter).map(|refused| refused.wait);
        let wait = before.map_or(least, |before| least.max(before * 2).min(QUARANTINE));
        let write = |level, more: &str| {
            journal!(level, Event::FilterRefused, TOPIC = filter; "session: {why}{more}");
        };
        match before {
            None => self.lines.one_more(write),
            Some(_) => write(Level::Debug, ""),
        }
        let refused = Refused {
            until: Instant::now() + wait,
            wait,
            why: why.clone(),
            asked: wanted.asked,
            set_aside,
        };
        self.all.insert(filter.to_owned(), refused);
        SessionEvent::Refused(filter.to_owned(), why)
    }

    /// AWS has granted it, and nothing has followed.
    pub(super) fn forget(&mut self, filter: &str) {
        self.all.remove(filter);
    }

    /// Whether the filter is left alone now. Whoever comes later is to be told what the others were told: that is returned as well.
    pub(super) fn holds(&mut self, filter: &str, wanted: WantedFilter, now: Instant) -> Option<Option<SessionEvent>> {
        let refused = self.all.get_mut(filter).filter(|refused| refused.until > now)?;
        let is_news = refused.asked < wanted.asked;
        refused.asked = refused.asked.max(wanted.asked);
        Some(is_news.then(|| SessionEvent::Refused(filter.to_owned(), refused.why.clone())))
    }

    /// Whether its subscription is set aside now.
    pub(super) fn is_set_aside(&self, filter: &str, now: Instant) -> bool {
        let refused = self.all.get(filter);
        refused.is_some_and(|refused| refused.set_aside.is_some() && refused.until > now)
    }

    /// The filters whose subscriptions are set aside now, by their names.
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

    /// Whether a filter that was set aside may be asked for again since this was asked the last time.
    pub(super) fn has_ended(&mut self, now: Instant) -> bool {
        let mut has_ended = false;
        for refused in self.all.values_mut().filter(|refused| refused.until <= now) {
            has_ended |= refused.set_aside.take().is_some();
        }
        has_ended
    }

    /// When the next filter may be asked for again.
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

    fn asked(asked: u64) -> WantedFilter {
        WantedFilter {
            asked,
            ..WantedFilter::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_filter_that_is_refused_again_and_again_is_left_alone_for_ever_longer_up_to_an_hour() {
        let mut refusals = Refusals::default();
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            refusals.refuse("f", asked(1), REFUSED, why());
            tokio::time::advance(Duration::from_secs(minutes * 60 - 1)).await;
            assert!(refusals.holds("f", asked(1), Instant::now()).is_some(), "{minutes}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(refusals.holds("f", asked(1), Instant::now()).is_none(), "{minutes}");
        }
        refusals.forget("f");
        refusals.refuse("f", asked(1), REFUSED, why());
        let end = refusals.next_end(Instant::now());
        assert_eq!(end, Some(Instant::now() + REFUSED), "it begins again");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_later_hears_it_once() {
        let mut refusals = Refusals::default();
        let now = Instant::now();
        refusals.refuse("f", asked(1), REFUSED, why());
        assert!(matches!(refusals.holds("f", asked(1), now), Some(None)));
        assert!(
            matches!(refusals.holds("f", asked(2), now), Some(Some(SessionEvent::Refused(filter, _))) if filter == "f")
        );
        assert!(matches!(refusals.holds("f", asked(2), now), Some(None)));
        assert!(refusals.holds("g", asked(2), now).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_set_aside_is_named_for_an_hour() {
        let mut refusals = Refusals::default();
        let since = SystemTime::UNIX_EPOCH;
        refusals.refuse("refused", asked(1), REFUSED, why());
        for filter in ["b", "a"] {
            refusals.set_aside(filter, asked(1), why(), since);
        }
        let now = Instant::now();
        let names: Vec<String> = refusals.all_set_aside(now).into_iter().map(|one| one.filter).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(refusals.is_set_aside("a", now) && !refusals.is_set_aside("refused", now));
        let later = now + QUARANTINE;
        assert!(refusals.all_set_aside(later).is_empty() && !refusals.is_set_aside("a", later));
        assert!(!refusals.has_ended(now) && refusals.has_ended(later) && !refusals.has_ended(later));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_wants_is_remembered_for_a_while_and_within_bounds() {
        let mut refusals = Refusals::default();
        let wanted = Wanted::from([("wanted".to_owned(), asked(1))]);
        refusals.refuse("wanted", asked(1), REFUSED, why());
        refusals.refuse("left", asked(1), REFUSED, why());
        let now = Instant::now();
        refusals.tidy(&wanted, now);
        assert!(
            refusals.holds("left", asked(1), now).is_some(),
            "a program cannot ask again by coming back"
        );
        refusals.tidy(&wanted, now + REFUSED);
        assert_eq!(refusals.all.len(), 1);
        for number in 0..=REMEMBERED {
            refusals.refuse(&format!("{number}"), asked(1), REFUSED, why());
        }
        refusals.tidy(&wanted, now);
        assert_eq!(refusals.all.len(), 1, "too many");
        assert!(refusals.all.contains_key("wanted"), "its wait goes on doubling");
    }
}
