//! Retry requests for the token, and for the tasks of the cloud thread.

use super::line::{Line, Outcome};
use crate::credentials::{AliasPart, AliasPhase, WebTokenPart, WebTokenPhase};
use crate::local::context::ApiContext;
use crate::retry::RetryTarget;
use crate::status::{SessionPhase, TokenPhase};

pub(super) fn retry_token(context: &ApiContext) -> Line {
    let part = context.board.token.borrow();
    let problem = part
        .problem
        .as_ref()
        .map(|problem| problem.to_string())
        .unwrap_or_default();
    let (outcome, message) = match part.phase {
        TokenPhase::Ready => {
            context.token.retry();
            let message = "it is open; gatepost checks now that its key is still there".to_owned();
            (Outcome::Woken, message)
        }
        TokenPhase::Waiting => {
            context.token.retry();
            (
                Outcome::Woken,
                "gatepost looks for it now, at the earliest 5 s after the last attempt".to_owned(),
            )
        }
        TokenPhase::Failed => (
            Outcome::Impossible,
            format!("it is not tried again before gatepost is restarted, because each try of a PIN counts: {problem}"),
        ),
    };
    Line::new("token", None, (outcome, message))
}

pub(super) fn retry_session(context: &ApiContext) -> Line {
    let part = context.board.session.borrow();
    let (outcome, message) = match part.phase {
        SessionPhase::Connected => {
            context.retries.request(RetryTarget::Session);
            let message = "it is connected; AWS is asked again now for whatever it has refused on this connection, at most once in 10 s";
            (Outcome::Woken, message.to_owned())
        }
        SessionPhase::Connecting => (Outcome::Busy, "it is connecting already".to_owned()),
        SessionPhase::Waiting => {
            context.retries.request(RetryTarget::Session);
            let planned = part.details.next_attempt.as_deref().unwrap_or("later");
            let message = format!("it connects now, not at {planned}; at the earliest 10 s after the last attempt");
            (Outcome::Woken, message)
        }
        SessionPhase::Idle => {
            let obstacle = context.board.obstacle();
            let why = obstacle.map_or_else(|| "token, certificate and clock".to_owned(), |problem| problem.message);
            (Outcome::Nothing, format!("it cannot connect yet: {why}"))
        }
    };
    Line::new("session", None, (outcome, message))
}

/// Returns whether a certificate is being requested.
pub(super) fn is_enrolling(context: &ApiContext) -> bool {
    let enrolment = context.board.identity.borrow().details.enrolment.clone();
    enrolment.is_some_and(|enrolment| enrolment.since.is_some())
}

pub(super) fn retry_enrolment(context: &ApiContext) -> Line {
    let enrolment = context.board.identity.borrow().details.enrolment.clone();
    let (outcome, message) = match enrolment {
        None => (
            Outcome::Nothing,
            "gatepost requests no certificate: enrolment.method is \"file\"".to_owned(),
        ),
        Some(enrolment) if enrolment.since.is_none() => {
            let due = enrolment
                .next_attempt
                .map(|due| format!("; the next renewal is due at {due}"));
            (
                Outcome::Nothing,
                format!("no certificate is due{}", due.unwrap_or_default()),
            )
        }
        Some(enrolment) => {
            context.retries.request(RetryTarget::Enrolment);
            let planned = enrolment.next_attempt.unwrap_or_else(|| "later".to_owned());
            let message =
                format!("the server is asked now, not at {planned}; at the earliest 10 s after the last attempt");
            (Outcome::Woken, message)
        }
    };
    Line::new("identity", None, (outcome, message))
}

pub(super) fn retry_aliases(context: &ApiContext, even_if_valid: bool) -> impl Iterator<Item = Line> {
    let parts = context.cache.parts(&*context.clock).into_iter();
    parts.map(move |part| retry_alias(context, &part, even_if_valid))
}

/// Requests a refresh. Valid credentials are refreshed only if their alias is named, because AWS limits the requests of a whole
/// account.
pub(super) fn retry_alias(context: &ApiContext, part: &AliasPart, even_if_valid: bool) -> Line {
    let is_valid = part.phase == AliasPhase::Valid && part.problem.is_none();
    let planned = part.details.next_refresh.as_deref();
    let (outcome, message) = match (planned, is_valid && !even_if_valid) {
        (None, _) => (
            Outcome::Nothing,
            "they are requested as soon as AWS has accepted the certificate".to_owned(),
        ),
        (Some(_), true) => (
            Outcome::Nothing,
            "they are valid; name the role alias to refresh them anyway".to_owned(),
        ),
        (Some(planned), false) => {
            context
                .retries
                .request(RetryTarget::RoleAlias(part.details.name.clone()));
            let message =
                format!("they are requested now, not at {planned}; at the earliest 10 s after the last request");
            (Outcome::Woken, message)
        }
    };
    Line::new("credentials", Some(part.details.name.clone()), (outcome, message))
}

pub(super) fn retry_web_tokens(context: &ApiContext, even_if_valid: bool) -> impl Iterator<Item = Line> {
    let parts = context.cache.web_tokens().parts(&*context.clock).into_iter();
    parts.map(move |part| retry_web_token(context, &part, even_if_valid))
}

/// Requests another token, unless there is nothing to try.
pub(super) fn retry_web_token(context: &ApiContext, part: &WebTokenPart, even_if_valid: bool) -> Line {
    let judged = judge_web_token(part, even_if_valid);
    let audience = part.details.audience.clone();
    if judged.0 == Outcome::Woken {
        context.retries.request(RetryTarget::WebToken(audience.clone()));
    }
    Line::new("web_tokens", Some(audience), judged)
}

/// Returns what a retry does for a token. Like credentials, a valid token is replaced only if its audience is named.
fn judge_web_token(part: &WebTokenPart, even_if_valid: bool) -> (Outcome, String) {
    let is_valid = part.phase == WebTokenPhase::Valid && part.problem.is_none();
    match &part.details.next_refresh {
        None => {
            let message = "it is requested as soon as the default role alias has credentials";
            (Outcome::Nothing, message.to_owned())
        }
        Some(_) if is_valid && !even_if_valid => {
            let message = "it is valid; name the audience to replace it anyway";
            (Outcome::Nothing, message.to_owned())
        }
        Some(planned) => {
            let message = format!("it is requested now, not at {planned}; at the earliest 10 s after the last request");
            (Outcome::Woken, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::credentials::WebTokenDetails;
    use crate::problem::Problem;

    #[test]
    fn a_token_is_requested_if_it_is_missing_or_named() {
        use WebTokenPhase::{Failing, Valid, Waiting};
        for (phase, has_problem, is_planned, is_named, outcome, words) in [
            (Failing, true, true, false, Outcome::Woken, "not at LATER"),
            (Failing, true, true, true, Outcome::Woken, "not at LATER"),
            // The next one could not be obtained, and the present one ends soon.
            (Valid, true, true, false, Outcome::Woken, "not at LATER"),
            // It has expired since the last report.
            (Failing, false, true, false, Outcome::Woken, "not at LATER"),
            (Valid, false, true, false, Outcome::Nothing, "name the audience"),
            (Valid, false, true, true, Outcome::Woken, "not at LATER"),
            // Without credentials no request can be signed.
            (Waiting, false, false, false, Outcome::Nothing, "has credentials"),
            (Waiting, false, false, true, Outcome::Nothing, "has credentials"),
            (Failing, true, false, true, Outcome::Nothing, "has credentials"),
            (Valid, false, false, true, Outcome::Nothing, "has credentials"),
        ] {
            let part = WebTokenPart {
                phase,
                since: Duration::ZERO,
                problem: has_problem.then(|| Problem::wait("503")),
                details: WebTokenDetails {
                    next_refresh: is_planned.then(|| "LATER".to_owned()),
                    ..WebTokenDetails::default()
                },
            };
            let (found, message) = judge_web_token(&part, is_named);
            assert_eq!(found, outcome, "{phase:?} {has_problem} {is_planned} {is_named}");
            assert!(message.contains(words), "{message}");
        }
    }
}
