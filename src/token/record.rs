//! Records which operations of the token have worked in this run.

use crate::failure_streak::{FailureStreak, Outlook};
use crate::problem::Problem;

/// Says so when something has failed the same way again and again, and has never once succeeded in this run.
#[derive(Debug)]
pub(super) struct Record {
    /// A token that is not there may still be on its way: it is looked for every 5 s, for five minutes in good faith.
    finding: FailureStreak<()>,
    opening: FailureStreak<()>,
    signing: FailureStreak<()>,
    /// Shown with an open token as well: one that signs once after each opening would look healthy in between.
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

    /// Takes a token that was opened into account.
    pub(super) fn opened(&mut self) {
        self.finding.succeed();
        self.opening.succeed();
    }

    /// The problem of a token that is not there, as it stands by now.
    pub(super) fn not_found(&mut self, problem: Problem) -> Problem {
        let suspects = "check token.module and the token= in token.key, the token's daemon and its device";
        self.finding.fail(()).judge(problem, suspects)
    }

    /// The problem of a token that cannot be opened, as it stands by now.
    pub(super) fn not_opened(&mut self, problem: Problem) -> Problem {
        let suspects = "check token.module, the module's own files and variables (systemctl cat gatepost), the permissions of \
                        the token's device, and whether pkcs11-tool --list-objects gets further with the same module";
        self.opening.fail(()).judge(problem, suspects)
    }

    /// Takes a signature into account; whether there was a complaint that is void now.
    pub(super) fn signed(&mut self) -> bool {
        self.signing.succeed();
        self.complaint.take().is_some()
    }

    /// The problem of a token that did not sign, as it stands by now.
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

    /// The complaint about a token that is open all the same.
    pub(super) fn complaint(&self) -> Option<Problem> {
        self.complaint.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Remedy;

    fn fault() -> Problem {
        Problem::wait("signing failed").next("gatepost opens the token anew by itself")
    }

    #[test]
    fn a_token_that_never_signs_is_complained_of_though_it_opens() {
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
    fn a_token_that_never_opens_names_suspects_and_one_that_did_does_not() {
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
