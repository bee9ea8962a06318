//! Problems that follow from the state of enrolment, not from an answer.

use std::time::SystemTime;

use super::texts::MethodTexts;
use crate::clock::rfc3339;
use crate::problem::{Problem, Remedy};

pub(super) fn no_bootstrap(texts: &MethodTexts) -> Problem {
    Problem::configuration("there is no certificate, and no credential to request the first one with")
        .next(texts.without_credential)
}

pub(super) fn expired_without_bootstrap(texts: &MethodTexts) -> Problem {
    Problem::configuration(
        "the certificate has expired, so it cannot be renewed by itself, and there is no bootstrap credential to request a new one with",
    )
    .next(texts.after_expiry)
}

pub(super) fn no_renewal(texts: &MethodTexts) -> Problem {
    Problem::configuration(
        "the certificate is due for renewal, and there is no credential to request the next one with",
    )
    .next(texts.without_credential)
}

pub(super) fn secret_used_up(problem: &Problem) -> Problem {
    let message = format!(
        "{}; the answer to an earlier request was lost after it was sent, so a one-time secret may have been used up",
        problem.message
    );
    Problem::configuration(message).next(
        "issue a new secret for this gateway; a certificate that the CA has issued for it meanwhile can be revoked",
    )
}

/// Asks for a person's attention half-way to the expiry, because nobody may notice a gateway that fails to renew until it is offline.
pub(super) fn late(problem: Problem, not_after: SystemTime, texts: &MethodTexts) -> Problem {
    let end = rfc3339(not_after);
    let message = format!(
        "the certificate ends on {end} and is not renewed yet: {}",
        problem.message
    );
    Problem {
        remedy: match problem.remedy {
            Remedy::Factory => Remedy::Factory,
            _ => Remedy::Configuration,
        },
        message,
        next_step: Some(
            problem
                .next_step
                .unwrap_or_else(|| format!("look at {} and at the way to it", texts.issuer)),
        ),
        ..problem
    }
}
