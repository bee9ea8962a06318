//! Counts consecutive failures of the same kind, and distinguishes an outage from an operation that has never succeeded.
//!
//! An operation that has succeeded before is expected to succeed again, so the advice is to wait. One that has failed several times in
//! the same way and has never succeeded, neither in this run nor by any record, is more likely to be configured wrongly. Then the
//! problem names what to check. Attempts continue in either case; their frequency is not decided here.

use crate::problem::{Problem, Remedy};

/// Consecutive failures of one kind. `K` should be coarse: failures that one cause may produce in turn (no route, then a timeout)
/// should be of the same kind.
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
    /// The operation has succeeded before, or has not failed often enough to judge.
    MayRecover,
    /// The operation has reached the limit of failures of one kind, and has never succeeded.
    NeverSucceeded,
}

impl<K: PartialEq> FailureStreak<K> {
    /// Creates a streak that is judged from the `limit`th failure on.
    pub fn new(limit: u32) -> Self {
        Self {
            limit,
            kind: None,
            failures: 0,
            has_succeeded: false,
        }
    }

    /// Takes a record of earlier runs into account. `false` changes nothing, so a success in this run is not forgotten.
    pub fn remember_success(&mut self, has_succeeded: bool) {
        self.has_succeeded |= has_succeeded;
    }

    /// Records a success, which ends the streak.
    pub fn succeed(&mut self) {
        self.reset();
        self.has_succeeded = true;
    }

    /// Counts a failure. A failure of another kind than the last one starts a new streak.
    pub fn fail(&mut self, kind: K) -> Outlook {
        if self.kind.as_ref() != Some(&kind) {
            self.kind = Some(kind);
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.outlook()
    }

    /// Forgets the failures, but not a success. To be called when something relevant has changed (a certificate, a PIN, a network).
    pub fn reset(&mut self) {
        self.kind = None;
        self.failures = 0;
    }

    /// Returns the outlook for the next attempt.
    pub fn outlook(&self) -> Outlook {
        if self.has_succeeded || self.failures < self.limit {
            Outlook::MayRecover
        } else {
            Outlook::NeverSucceeded
        }
    }

    /// Returns the number of consecutive failures. Not for messages: a count would make each repetition a new problem.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

impl Outlook {
    /// Returns `problem` unchanged while the operation may recover. Otherwise, a problem that only asked to wait gets the next step to
    /// check `suspects`, after its own next step if it has one.
    #[must_use]
    pub fn judge(self, problem: Problem, suspects: &str) -> Problem {
        let asks_to_wait = matches!(problem.remedy, Remedy::None | Remedy::Wait);
        if self == Self::MayRecover || !asks_to_wait {
            return problem;
        }
        let next_step = match problem.next_step {
            Some(step) => format!("{step}; then {suspects}"),
            None => suspects.to_owned(),
        };
        Problem {
            remedy: Remedy::Configuration,
            message: format!("{}; this has never succeeded", problem.message),
            next_step: Some(next_step),
            ..problem
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
    fn failures_without_a_success_are_judged_from_the_limit_on() {
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
    fn a_recorded_success_counts_and_a_missing_record_changes_nothing() {
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
    fn only_a_problem_that_asked_to_wait_is_reworded() {
        let suspects = "check the firewall";
        let waiting = Problem::wait("no route to host");
        assert_eq!(Outlook::MayRecover.judge(waiting.clone(), suspects), waiting);
        let judged = Outlook::NeverSucceeded.judge(waiting, suspects);
        assert_eq!(
            judged,
            Problem::configuration("no route to host; this has never succeeded").next(suspects)
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
