//! POST /v1/renew: requests a new certificate, whether one is due or not.
//!
//! The certificate in use stays in use until AWS has accepted the new one, so a request that fails costs nothing.

use log::Level;

use super::retry::{Document, Line, Outcome, authorize};
use crate::event::{Event, journal};
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response};
use crate::problem::Remedy;
use crate::retry::RetryTarget;
use crate::status::{ClockPhase, IdentityPart, IdentityPhase};

/// Requests a new certificate.
pub fn post(context: &ApiContext, caller: &Caller) -> Result<Response, ApiError> {
    authorize(context, caller, "have the certificate renewed")?;
    let clock = context.board.clock.borrow().phase;
    let (outcome, message) = judge(&context.board.identity.borrow(), clock);
    if outcome == Outcome::Woken {
        context.retries.request(RetryTarget::Renewal);
        context.retry_lines.borrow_mut().write_at(Level::Info, |level, end| {
            journal!(level, Event::Retry; "renew: a new certificate is requested now, because {caller} asked for it{end}");
        });
    }
    let line = Line {
        part: "identity",
        name: None,
        outcome,
        message,
    };
    Ok(http::json(&Document { parts: vec![line] }))
}

/// Returns what a request for a new certificate leads to, and says why.
fn judge(identity: &IdentityPart, clock: ClockPhase) -> (Outcome, String) {
    let Some(enrolment) = &identity.details.enrolment else {
        let message = "gatepost cannot renew it by itself, because enrolment.method is \"file\": have `gatepost csr` signed, then `gatepost \
                       certificate install`";
        return (Outcome::Impossible, message.to_owned());
    };
    // While a certificate is requested, another attempt may succeed even if an operator must act.
    // With a next attempt, the problem is about the last renewal.
    if let (None, None, Some(problem)) = (&enrolment.since, &enrolment.next_attempt, &enrolment.problem)
        && problem.remedy == Remedy::Configuration
    {
        return (Outcome::Impossible, problem.to_string());
    }
    if identity.phase == IdentityPhase::NoKey {
        let problem = identity
            .problem
            .as_ref()
            .map(|problem| format!(": {}", problem.message));
        let message = format!("there is no key in the token yet{}", problem.unwrap_or_default());
        return (Outcome::Nothing, message);
    }
    if clock == ClockPhase::Unset {
        let message = "the clock is not set, so no certificate can be judged; it is requested once the clock is set";
        return (Outcome::Nothing, message.to_owned());
    }
    let message = match identity.phase {
        IdentityPhase::Ready => {
            "a new certificate is requested now, at the earliest 10 s after the last attempt; the one in use stays until AWS has \
             accepted the new one"
        }
        _ => "the certificate is requested now, at the earliest 10 s after the last attempt",
    };
    (Outcome::Woken, message.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::problem::Problem;
    use crate::status::{EnrolmentDetails, IdentityDetails, Part};

    #[test]
    fn a_renewal_is_requested_where_one_is_possible() {
        let since = Some("2026-11-30T00:00:00Z".to_owned());
        let person = || Some(Problem::configuration("there is no bootstrap credential"));
        let enrolment = |since: Option<String>, problem| {
            Some(EnrolmentDetails {
                since,
                problem,
                ..EnrolmentDetails::default()
            })
        };
        for (name, phase, enrolment, clock, outcome, words) in [
            (
                "by hand",
                IdentityPhase::Ready,
                None,
                ClockPhase::Set,
                Outcome::Impossible,
                "\"file\"",
            ),
            (
                "not due",
                IdentityPhase::Ready,
                enrolment(None, None),
                ClockPhase::Set,
                Outcome::Woken,
                "stays until",
            ),
            (
                "under way",
                IdentityPhase::Ready,
                enrolment(since.clone(), person()),
                ClockPhase::Set,
                Outcome::Woken,
                "stays until",
            ),
            (
                "first",
                IdentityPhase::NoCertificate,
                enrolment(since.clone(), None),
                ClockPhase::Set,
                Outcome::Woken,
                "requested now",
            ),
            (
                "first, before its attempt",
                IdentityPhase::NoCertificate,
                enrolment(None, Some(Problem::wait("asking"))),
                ClockPhase::Set,
                Outcome::Woken,
                "requested now",
            ),
            (
                "nothing to ask with",
                IdentityPhase::NoCertificate,
                enrolment(None, person()),
                ClockPhase::Set,
                Outcome::Impossible,
                "no bootstrap credential",
            ),
            (
                "refused file",
                IdentityPhase::Refused,
                enrolment(since, None),
                ClockPhase::Set,
                Outcome::Woken,
                "requested now",
            ),
            (
                "no key",
                IdentityPhase::NoKey,
                enrolment(None, None),
                ClockPhase::Set,
                Outcome::Nothing,
                "no key in the token",
            ),
            (
                "no clock",
                IdentityPhase::Ready,
                enrolment(None, None),
                ClockPhase::Unset,
                Outcome::Nothing,
                "clock is not set",
            ),
        ] {
            let identity = Part {
                phase,
                since: Duration::ZERO,
                problem: None,
                details: IdentityDetails {
                    enrolment,
                    ..IdentityDetails::default()
                },
            };
            let (found, message) = judge(&identity, clock);
            assert_eq!(found, outcome, "{name}");
            assert!(message.contains(words), "{name}: {message}");
        }
    }
}
