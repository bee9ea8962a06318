//! Counts failures of the same kind in a row, and tells an outage from an attempt that never once succeeded.
//!
//! An attempt that has worked before is expected to work again, so waiting is good advice. One that has failed the same way
//! several times and has never succeeded, neither in this run nor by any record, is more likely to be set up wrongly: then the
//! problem names what to look at, and no longer promises to heal. Attempts go on in either case; how often is not decided here.

use crate::problem::{Problem, Remedy};

/// Consecutive failures of one kind. `K` tells kinds apart: coarse enough that a cause which shows itself in several ways
/// (no route, then a timeout) is still one kind.
#[derive(Clone, Debug)]
pub struct FailureStreak<K> {
    limit: u32,
    kind: Option<K>,
    failures: u32,
    has_succeeded: bool,
}

/// The outlook for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It has worked before, or has not failed often enough to say.
    MayRecover,
    /// It has failed the same way as often as the limit says, and has never succeeded.
    NeverSucceeded,
}

impl<K: PartialEq> FailureStreak<K> {
    /// A streak that is judged from its `limit`th failure on.
    pub fn new(limit: u32) -> Self {
        Self {
            limit,
            kind: None,
            failures: 0,
            has_succeeded: false,
        }
    }

    /// Takes a record of earlier runs into account. `false` changes nothing: a success in this run is not forgotten.
    pub fn remember_success(&mut self, has_succeeded: bool) {
        self.has_succeeded |= has_succeeded;
    }

    /// Ends the streak.
    pub fn succeed(&mut self) {
        self.reset();
        self.has_succeeded = true;
    }

    /// Counts a failure. One of another kind than the last begins a new streak.
    pub fn fail(&mut self, kind: K) -> Outlook {
        if self.kind.as_ref() != Some(&kind) {
            self.kind = Some(kind);
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.outlook()
    }

    /// Forgets the failures, but not a success: something was changed that may matter (a certificate, a PIN, a network).
    pub fn reset(&mut self) {
        self.kind = None;
        self.failures = 0;
    }

    /// The outlook for the next attempt.
    pub fn outlook(&self) -> Outlook {
        if self.has_succeeded || self.failures < self.limit {
            Outlook::MayRecover
        } else {
            Outlook::NeverSucceeded
        }
    }

    /// How many failures of one kind there were in a row. Not for messages: a count makes the same problem news each time.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

impl Outlook {
    /// Returns `problem` as it is while it may heal. Once it has never succeeded, a problem that only asked for patience asks
    /// somebody to look at `suspects`; its own next step, if it has one, comes first.
    #[must_use]
    pub fn judge(self, problem: Problem, suspects: &str) -> Problem {
        let asks_for_patience = matches!(problem.remedy, Remedy::None | Remedy::Wait);
        if self == Self::MayRecover || !asks_for_patience {
            return problem;
        }
        let next_step = match problem.next_step {
            Some(step) => format!("{step}; then {suspects}"),
            None => suspects.to_owned(),
        };
        Problem {
            remedy: Remedy::Configuration,
            message: format!("{}; this has never succeeded yet", problem.message),
            next_step: Some(next_step),
            event: problem.event,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u32 = 3;

    /// A failure of this kind, or a success.
    type Step = Option<char>;

    #[test]
    fn the_same_failure_without_any_success_is_judged_from_the_limit_on() {
        use Outlook::{MayRecover, NeverSucceeded};
        let cases: &[(&str, &[Step], Outlook)] = &[
            ("nothing tried", &[], MayRecover),
            ("one failure", &[Some('a')], MayRecover),
            ("one below the limit", &[Some('a'), Some('a')], MayRecover),
            ("the limit", &[Some('a'), Some('a'), Some('a')], NeverSucceeded),
            ("beyond it", &[Some('a'); 9], NeverSucceeded),
            (
                "another kind in between",
                &[Some('a'), Some('a'), Some('b'), Some('a')],
                MayRecover,
            ),
            (
                "two kinds in turn",
                &[Some('a'), Some('b'), Some('a'), Some('b'), Some('a'), Some('b')],
                MayRecover,
            ),
            (
                "a new kind to the limit",
                &[Some('a'), Some('b'), Some('b'), Some('b')],
                NeverSucceeded,
            ),
            (
                "a success before",
                &[None, Some('a'), Some('a'), Some('a'), Some('a')],
                MayRecover,
            ),
            (
                "a success in between",
                &[Some('a'), Some('a'), None, Some('a'), Some('a'), Some('a')],
                MayRecover,
            ),
            (
                "a success at last",
                &[Some('a'), Some('a'), Some('a'), None],
                MayRecover,
            ),
        ];
        for (name, steps, expected) in cases {
            let mut streak = FailureStreak::new(LIMIT);
            for step in *steps {
                match step {
                    Some(kind) => {
                        streak.fail(*kind);
                    }
                    None => streak.succeed(),
                }
            }
            assert_eq!(streak.outlook(), *expected, "{name}");
        }
    }

    #[test]
    fn a_recorded_success_counts_and_a_missing_record_takes_nothing_back() {
        let mut recorded = FailureStreak::new(1);
        recorded.remember_success(true);
        recorded.remember_success(false);
        assert_eq!(recorded.fail('a'), Outlook::MayRecover);
        let mut unrecorded = FailureStreak::new(1);
        unrecorded.remember_success(false);
        assert_eq!(unrecorded.fail('a'), Outlook::NeverSucceeded);
    }

    #[test]
    fn a_reset_forgets_failures_and_keeps_success() {
        let mut streak = FailureStreak::new(2);
        streak.fail('a');
        streak.reset();
        assert_eq!((streak.fail('a'), streak.failures()), (Outlook::MayRecover, 1));
        assert_eq!(streak.fail('a'), Outlook::NeverSucceeded);
        streak.succeed();
        streak.reset();
        assert_eq!(
            (streak.fail('a'), streak.fail('a')),
            (Outlook::MayRecover, Outlook::MayRecover)
        );
    }

    #[test]
    fn only_a_problem_that_asked_for_patience_is_reworded() {
        let suspects = "check the firewall";
        let waiting = Problem::wait("no route to host");
        assert_eq!(Outlook::MayRecover.judge(waiting.clone(), suspects), waiting);
        let judged = Outlook::NeverSucceeded.judge(waiting, suspects);
        assert_eq!(
            judged,
            Problem::configuration("no route to host; this has never succeeded yet").next(suspects)
        );
        let with_step = Outlook::NeverSucceeded.judge(Problem::wait("no answer").next("wait a minute"), suspects);
        assert_eq!(
            with_step.next_step.as_deref(),
            Some("wait a minute; then check the firewall")
        );
        for known in [
            Problem::configuration("403").next("allow it"),
            Problem::factory("the PIN is locked"),
        ] {
            assert_eq!(Outlook::NeverSucceeded.judge(known.clone(), suspects), known);
        }
    }
}
