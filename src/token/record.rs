//! Records which operations of the token have succeeded in this run.

use crate::failure_streak::{FailureStreak, Outlook};
use crate::problem::Problem;

/// The operations of the token. An operation that fails again and again and has never succeeded becomes a problem of the
/// configuration.
#[derive(Debug)]
pub(super) struct Record {
    /// The token may appear late. It is looked for every 5 s, and for five minutes its absence is not called a fault.
    finding: FailureStreak<()>,
    opening: FailureStreak<()>,
    signing: FailureStreak<()>,
    /// The problem of a token that never signs, which is shown while it is open as well.
    complaint: Option<Problem>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            finding: FailureStreak::new(60),
            opening: FailureStreak::new(4),
            signing: FailureStreak::new(4),
            complaint: None,
        }
    }

    /// Records that the token was opened.
    pub(super) fn opened(&mut self) {
        self.finding.succeed();
        self.opening.succeed();
    }

    /// Records that the token was not found, and returns the problem to show.
    pub(super) fn not_found(&mut self, problem: Problem) -> Problem {
        let suspects = "check token.module and the token= in token.key, the token's daemon and its device";
        self.finding.fail(()).judge(problem, suspects)
    }

    /// Records that the token could not be opened, and returns the problem to show.
    pub(super) fn not_opened(&mut self, problem: Problem) -> Problem {
        let suspects = "check token.module, the module's own files and variables (systemctl cat gatepost), the permissions of \
                        the token's device, and whether pkcs11-tool --list-objects gets further with the same module";
        self.opening.fail(()).judge(problem, suspects)
    }

    /// Records a signature. Returns whether this resolves the complaint.
    pub(super) fn signed(&mut self) -> bool {
        self.signing.succeed();
        self.complaint.take().is_some()
    }

    /// Records that the token did not sign, and returns the problem to show.
    pub(super) fn not_signed(&mut self, problem: Problem) -> Problem {
        let suspects = "check whether the module's version fits the token, whether another program resets it, its daemon \
                        (tpm2-abrmd, pcscd) and its device";
        let outlook = self.signing.fail(());
        let problem = outlook.judge(problem, suspects);
        if outlook == Outlook::NeverSucceeded {
            self.complaint = Some(problem.clone());
        }
        problem
    }

    /// Returns the complaint about an open token.
    pub(super) fn complaint(&self) -> Option<Problem> {
        self.complaint.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Remedy;

    fn fault() -> Problem {
        Problem::wait("signing failed").next("gatepost reopens the token by itself")
    }

    #[test]
    fn an_open_token_that_never_signs_has_a_complaint() {
        let mut record = Record::new();
        for _ in 0..3 {
            record.opened();
            assert_eq!(record.not_signed(fault()), fault());
            assert_eq!(record.complaint(), None);
        }
        record.opened();
        let problem = record.not_signed(fault());
        assert_eq!(problem.remedy, Remedy::Configuration);
        assert!(problem.to_string().contains("never succeeded"), "{problem}");
        assert!(problem.to_string().contains("module's version"), "{problem}");
        assert_eq!(record.complaint(), Some(problem));
        assert!(record.signed());
        assert_eq!(record.complaint(), None);
        for _ in 0..9 {
            assert_eq!(record.not_signed(fault()), fault(), "it has worked before");
        }
        assert!(!record.signed());
    }

    #[test]
    fn only_a_token_that_never_opened_gets_advice() {
        let mut record = Record::new();
        let judged: Vec<Remedy> = (0..5).map(|_| record.not_opened(fault()).remedy).collect();
        assert_eq!(judged[2..4], [Remedy::Wait, Remedy::Configuration]);
        let late: Vec<Remedy> = (0..60).map(|_| record.not_found(fault()).remedy).collect();
        assert_eq!(late[58..], [Remedy::Wait, Remedy::Configuration]);
        record.opened();
        assert_eq!(record.not_opened(fault()), fault());
        assert_eq!(record.not_found(fault()), fault());
    }
}
