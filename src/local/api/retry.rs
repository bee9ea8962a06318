//! POST /v1/retry/{part}: requests an immediate attempt, because an operator knows that the cause of a problem is gone.
//!
//! The minimum intervals between attempts that AWS and the token require remain, and no PIN is tried that might be wrong.

use hyper::StatusCode;
use log::Level;
use serde::Serialize;

use super::credentials;
use crate::credentials::{AliasPart, AliasPhase};
use crate::event::{Event, journal};
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response};
use crate::retry::RetryTarget;
use crate::status::{SessionPhase, TokenPhase};

/// Result of a retry request for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// The next attempt starts now.
    Woken,
    /// An attempt is in progress.
    Busy,
    /// There is nothing to try.
    Nothing,
    /// An attempt is not permitted.
    Impossible,
}

/// The outcome for one part.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) part: &'static str,
    pub(super) name: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) message: String,
}

/// The response's body.
#[derive(Serialize)]
pub(super) struct Document {
    pub(super) parts: Vec<Line>,
}

/// Requests immediate attempts of the parts that the path names.
pub fn post(context: &ApiContext, caller: &Caller, path: &[&str]) -> Result<Response, ApiError> {
    authorize(context, caller, "request another attempt")?;
    let parts = match path {
        ["all"] => {
            let mut parts = vec![retry_token(context), retry_session(context)];
            parts.extend(retry_aliases(context, false));
            parts.extend(is_enrolling(context).then(|| retry_enrolment(context)));
            parts
        }
        ["token"] => vec![retry_token(context)],
        ["session"] => vec![retry_session(context)],
        ["enrolment"] => vec![retry_enrolment(context)],
        ["credentials"] => retry_aliases(context, false).collect(),
        ["credentials", name] => {
            let named = context
                .cache
                .parts(&*context.clock)
                .into_iter()
                .find(|part| part.details.name == *name);
            let part = named.ok_or_else(|| credentials::unknown_alias(context, name))?;
            vec![retry_alias(context, &part, true)]
        }
        _ => {
            return Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is nothing of this name to retry",
            )
            .hint("the names are all, session, credentials, credentials/{alias}, enrolment and token"));
        }
    };
    let target = path.join("/");
    context.retry_lines.borrow_mut().write_at(Level::Info, |level, end| {
        journal!(level, Event::Retry; "retry: {} is tried again now, because {caller} asks for it{end}", target.escape_debug());
    });
    Ok(http::json(&Document { parts }))
}

/// Checks that the caller is an operator: root, or somebody who may do everything.
pub(super) fn authorize(context: &ApiContext, caller: &Caller, what: &str) -> Result<(), ApiError> {
    if context.may_do_everything(caller) {
        return Ok(());
    }
    context.authorize_root(caller, what).map_err(|error| {
        ApiError::from(error).hint(
            "it is for root, and for those who may publish and subscribe to everything (#): group gatepost, as shipped",
        )
    })
}

fn retry_token(context: &ApiContext) -> Line {
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
    Line {
        part: "token",
        name: None,
        outcome,
        message,
    }
}

fn retry_session(context: &ApiContext) -> Line {
    let part = context.board.session.borrow();
    let (outcome, message) = match part.phase {
        SessionPhase::Connected => (Outcome::Nothing, "it is connected".to_owned()),
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
    Line {
        part: "session",
        name: None,
        outcome,
        message,
    }
}

/// Returns whether a certificate is being requested.
fn is_enrolling(context: &ApiContext) -> bool {
    let enrolment = context.board.identity.borrow().details.enrolment.clone();
    enrolment.is_some_and(|enrolment| enrolment.since.is_some())
}

fn retry_enrolment(context: &ApiContext) -> Line {
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
    Line {
        part: "identity",
        name: None,
        outcome,
        message,
    }
}

fn retry_aliases(context: &ApiContext, even_if_valid: bool) -> impl Iterator<Item = Line> {
    let parts = context.cache.parts(&*context.clock).into_iter();
    parts.map(move |part| retry_alias(context, &part, even_if_valid))
}

/// Requests a refresh. Valid credentials are refreshed only if their alias is named, because AWS limits the requests of a whole
/// account.
fn retry_alias(context: &ApiContext, part: &AliasPart, even_if_valid: bool) -> Line {
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
    Line {
        part: "credentials",
        name: Some(part.details.name.clone()),
        outcome,
        message,
    }
}
