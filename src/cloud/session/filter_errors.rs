//! Detects topic filters whose subscription causes a protocol error of the server, usually a malformed retained message or SUBACK.
//!
//! Packets that a subscription causes arrive within a second of SUBACK, so a SUBSCRIBE is settled after that. When a protocol error
//! ends the connection while filters are unsettled, each of them gets a strike; struck filters are subscribed to last, and one at a
//! time. A filter that is alone at its second strike is blamed, and the subscriber sets it aside. On a connection that resumes the
//! session after a protocol error, nothing is subscribed to for a second, so that messages that AWS resends with the session are not
//! blamed on a filter.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Time within which packets arrive that a subscription causes after SUBACK, or a resumed session after CONNACK.
const SETTLING: Duration = Duration::from_secs(1);
/// A filter is blamed at this strike, if it is alone.
const STRIKES: u32 = 2;

/// Filters with strikes, and filters whose SUBSCRIBE is not settled.
#[derive(Debug, Default)]
pub(super) struct FilterErrors {
    /// Time of SUBACK, if it has arrived.
    unsettled: BTreeMap<String, Option<Instant>>,
    strikes: BTreeMap<String, u32>,
    /// Whether one ended the last connection.
    after_protocol_error: bool,
    quiet_until: Option<Instant>,
}

/// Conclusion from a protocol error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No filter was unsettled, so the error had another cause, perhaps the session.
    Unrelated,
    /// One of several filters may be the cause, or one filter for the first time. The next connections will tell.
    Suspected,
    /// This filter is the cause.
    Blamed(String),
}

impl FilterErrors {
    /// Starts with a connection, on which AWS has resumed the session or started a new one.
    pub(super) fn connected(&mut self, session_present: bool) {
        self.unsettled.clear();
        let is_quiet = std::mem::take(&mut self.after_protocol_error) && session_present;
        self.quiet_until = is_quiet.then(|| Instant::now() + SETTLING);
    }

    /// Records that SUBSCRIBE was sent for this filter.
    pub(super) fn subscribing(&mut self, filter: &str) {
        self.unsettled.insert(filter.to_owned(), None);
    }

    /// Records SUBACK.
    pub(super) fn subscribed(&mut self, filter: &str) {
        if let Some(answered) = self.unsettled.get_mut(filter) {
            *answered = Some(Instant::now());
        }
    }

    /// Returns whether the filter has a strike, so that it must be subscribed to alone.
    pub(super) fn is_struck(&self, filter: &str) -> bool {
        self.strikes.contains_key(filter)
    }

    /// Forgets the strikes of filters that are no longer wanted.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.strikes.retain(|filter, _| is_wanted(filter));
    }

    /// Removes the strikes of filters that are settled by now.
    pub(super) fn settle(&mut self) {
        let now = Instant::now();
        let strikes = &mut self.strikes;
        self.unsettled.retain(|filter, answered| {
            let is_settled = answered.is_some_and(|answered| answered + SETTLING <= now);
            if is_settled {
                strikes.remove(filter);
            }
            !is_settled
        });
    }

    /// Returns whether a filter with a strike may be subscribed to now, because no other one is unsettled.
    pub(super) fn may_go_alone(&self) -> bool {
        self.unsettled.is_empty()
    }

    /// Returns the time until which no filter may be subscribed to.
    pub(super) fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until.filter(|until| Instant::now() < *until)
    }

    /// Returns when the next filter is settled, if filters with strikes wait for that.
    pub(super) fn settles_at(&self) -> Option<Instant> {
        let answered = self.unsettled.values().flatten().min();
        answered.filter(|_| !self.strikes.is_empty()).map(|at| *at + SETTLING)
    }

    /// Handles the end of the connection, by a protocol error or otherwise.
    pub(super) fn disconnected(&mut self, is_protocol_error: bool) -> Verdict {
        self.settle();
        let unsettled = std::mem::take(&mut self.unsettled);
        if !is_protocol_error {
            return Verdict::Unrelated;
        }
        self.after_protocol_error = true;
        let is_alone = unsettled.len() == 1;
        let mut verdict = Verdict::Unrelated;
        for filter in unsettled.into_keys() {
            let strikes = self.strikes.entry(filter.clone()).or_default();
            *strikes += 1;
            verdict = match is_alone && *strikes >= STRIKES {
                true => {
                    // At the next attempt a single protocol error suffices.
                    *strikes = STRIKES - 1;
                    Verdict::Blamed(filter)
                }
                false => Verdict::Suspected,
            };
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blamed(filter: &str) -> Verdict {
        Verdict::Blamed(filter.to_owned())
    }

    /// Subscribes to these filters on a new connection, acknowledges the first `answered` of them, and ends the connection by a
    /// protocol error after the given time.
    async fn end(errors: &mut FilterErrors, filters: &[&str], answered: usize, after: Duration) -> Verdict {
        errors.connected(false);
        filters.iter().for_each(|filter| errors.subscribing(filter));
        filters
            .iter()
            .take(answered)
            .for_each(|filter| errors.subscribed(filter));
        tokio::time::advance(after).await;
        errors.disconnected(true)
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_the_filter_whose_retained_message_breaks_the_protocol_is_found_among_many() {
        let mut errors = FilterErrors::default();
        let soon = Duration::from_millis(300);
        assert_eq!(end(&mut errors, &["a", "b", "c"], 3, soon).await, Verdict::Suspected);
        assert!(["a", "b", "c"].iter().all(|filter| errors.is_struck(filter)));
        // One at a time, the filters that are not the cause settle.
        errors.connected(false);
        for harmless in ["a", "b"] {
            assert!(errors.may_go_alone());
            errors.subscribing(harmless);
            assert!(!errors.may_go_alone() && errors.settles_at().is_none());
            errors.subscribed(harmless);
            tokio::time::advance(Duration::from_millis(999)).await;
            errors.settle();
            assert!(errors.is_struck(harmless), "it is not settled yet");
            tokio::time::sleep_until(errors.settles_at().unwrap()).await;
            errors.settle();
            assert!(!errors.is_struck(harmless));
        }
        errors.subscribing("c");
        errors.subscribed("c");
        assert_eq!(errors.disconnected(true), blamed("c"));
        // An hour later it is tried again, and blamed at once.
        assert_eq!(end(&mut errors, &["c"], 1, soon).await, blamed("c"));
        // The message was deleted meanwhile.
        assert_eq!(end(&mut errors, &["c"], 1, SETTLING).await, Verdict::Unrelated);
        assert_eq!(end(&mut errors, &["c"], 1, soon).await, Verdict::Suspected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_filter_is_blamed_only_for_messages_of_its_own_subscription() {
        let never = Duration::from_secs(3600);
        type Case<'a> = (&'a str, &'a [(&'a [&'a str], usize, u64)], Verdict);
        let cases: &[Case] = &[
            (
                "nothing was subscribed to",
                &[(&[], 0, 0), (&[], 0, 0), (&[], 0, 0)],
                Verdict::Unrelated,
            ),
            ("once", &[(&["a"], 1, 0)], Verdict::Suspected),
            ("twice", &[(&["a"], 1, 0), (&["a"], 1, 0)], blamed("a")),
            (
                "before SUBACK, twice",
                &[(&["a"], 0, 0), (&["a"], 0, 5000)],
                blamed("a"),
            ),
            (
                "SUBACK itself, then the message",
                &[(&["a"], 0, 0), (&["a"], 1, 999)],
                blamed("a"),
            ),
            (
                "settled",
                &[(&["a"], 1, 1000), (&["a"], 1, 1000), (&["a"], 1, 5000)],
                Verdict::Unrelated,
            ),
            (
                "settled between",
                &[(&["a"], 1, 0), (&["a"], 1, 1000), (&["a"], 1, 0)],
                Verdict::Suspected,
            ),
            (
                "never alone",
                &[(&["a", "b"], 2, 0), (&["b", "a"], 2, 0), (&["a", "b"], 2, 0)],
                Verdict::Suspected,
            ),
            ("alone at last", &[(&["a", "b"], 2, 0), (&["b"], 1, 0)], blamed("b")),
            ("another one", &[(&["a"], 1, 0), (&["b"], 1, 0)], Verdict::Suspected),
            (
                "the session between",
                &[(&["a"], 1, 0), (&[], 0, 0), (&["a"], 1, 0)],
                blamed("a"),
            ),
        ];
        for (what, ends, expected) in cases {
            let mut errors = FilterErrors::default();
            let mut last = Verdict::Unrelated;
            for (filters, answered, after) in *ends {
                last = end(&mut errors, filters, *answered, Duration::from_millis(*after)).await;
            }
            assert_eq!(last, *expected, "{what}");
            // An end without a protocol error proves nothing.
            errors.connected(true);
            errors.subscribing("a");
            tokio::time::advance(never).await;
            assert_eq!(errors.disconnected(false), Verdict::Unrelated, "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_protocol_error_nothing_is_subscribed_to_until_the_session_has_settled() {
        let mut errors = FilterErrors::default();
        for (is_protocol_error, session_present, is_quiet) in [
            (true, true, true),
            (true, false, false),
            (false, true, false),
            (false, false, false),
        ] {
            errors.connected(false);
            errors.disconnected(is_protocol_error);
            errors.connected(session_present);
            assert_eq!(
                errors.quiet_until().is_some(),
                is_quiet,
                "{is_protocol_error} {session_present}"
            );
            tokio::time::advance(SETTLING).await;
            assert_eq!(errors.quiet_until(), None, "not for ever");
            errors.disconnected(false);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn strikes_of_unwanted_filters_are_forgotten() {
        let mut errors = FilterErrors::default();
        for number in 0..1000 {
            end(&mut errors, &[&format!("{number}")], 1, Duration::ZERO).await;
            errors.retain(|filter| filter == "7");
        }
        assert_eq!(errors.strikes.len(), 1);
    }
}
