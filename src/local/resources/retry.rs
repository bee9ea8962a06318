//! POST /v1/retry/{part}: what waits for its next attempt makes it now, because an operator knows that the cause is mended.
//!
//! No request makes an attempt come sooner after the one before it than AWS, or the token, bears; and none tries a PIN that the
//! token does not want to be tried.

use hyper::StatusCode;
use log::Level;
use serde::Serialize;

use super::super::answer::{self, Answer, ApiError};
use super::super::caller::Caller;
use super::super::view::ApiContext;
use super::credentials;
use crate::credentials::{AliasPart, AliasPhase};
use crate::event::{Event, journal};
use crate::retry::RetryTarget;
use crate::status::{SessionPhase, TokenPhase};

/// Result of a retry request for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// It tries now.
    Woken,
    /// It is trying at this moment.
    Busy,
    /// It waits for nothing that could be tried.
    Nothing,
    /// It must not try.
    Impossible,
}

/// One part, and what is said of it.
#[derive(Debug, Serialize)]
struct Line {
    part: &'static str,
    name: Option<String>,
    outcome: Outcome,
    message: String,
}

#[derive(Serialize)]
struct Document {
    parts: Vec<Line>,
}

/// The answer.
pub fn post(shared: &ApiContext, caller: &Caller, path: &[&str]) -> Result<Answer, ApiError> {
    if !shared.may_do_everything(caller) {
        shared.authorize_root(caller, "have gatepost try again").map_err(|refusal| {
            refusal.hint("it is for root, and for those who may publish and subscribe to everything (#): group gatepost, as shipped")
        })?;
    }
    let parts = match path {
        ["all"] => {
            let mut parts = vec![token(shared), session(shared)];
            parts.extend(aliases(shared, false));
            parts.extend(is_enrolling(shared).then(|| enrolment(shared)));
            parts
        }
        ["token"] => vec![token(shared)],
        ["session"] => vec![session(shared)],
        ["enrolment"] => vec![enrolment(shared)],
        ["credentials"] => aliases(shared, false).collect(),
        ["credentials", name] => {
            let named = shared
                .cache
                .parts(&*shared.clock)
                .into_iter()
                .find(|part| part.details.name == *name);
            let part = named.ok_or_else(|| credentials::unknown(shared, name))?;
            vec![alias(shared, &part, true)]
        }
        _ => {
            return Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is nothing of this name to try again",
            )
            .hint("there are all, session, credentials, credentials/{alias}, enrolment and token"));
        }
    };
    let what = path.join("/");
    shared.retry_lines.borrow_mut().write_at(Level::Info, |level, end| {
        journal!(level, Event::Retry; "retry: {} is tried again now, because {caller} asks for it{end}", what.escape_debug());
    });
    answer::json(&Document { parts })
}

fn token(shared: &ApiContext) -> Line {
    let part = shared.board.token.borrow();
    let problem = part
        .problem
        .as_ref()
        .map(|problem| problem.to_string())
        .unwrap_or_default();
    let (outcome, message) = match part.phase {
        TokenPhase::Ready => {
            shared.token.retry();
            let message = "it is open; whether its key is still there is checked now".to_owned();
            (Outcome::Woken, message)
        }
        TokenPhase::Waiting => {
            shared.token.retry();
            (
                Outcome::Woken,
                "it is looked for now, at the earliest 5 s after the last time".to_owned(),
            )
        }
        TokenPhase::Failed => (
            Outcome::Impossible,
            format!(
                "it is not tried again while gatepost runs, because a PIN might be tried once too often: {problem}"
            ),
        ),
    };
    Line {
        part: "token",
        name: None,
        outcome,
        message,
    }
}

fn session(shared: &ApiContext) -> Line {
    let part = shared.board.session.borrow();
    let (outcome, message) = match part.phase {
        SessionPhase::Connected => (Outcome::Nothing, "it is connected".to_owned()),
        SessionPhase::Connecting => (Outcome::Busy, "a connection is being made at this moment".to_owned()),
        SessionPhase::Waiting => {
            shared.retries.request(RetryTarget::Session);
            let planned = part.details.next_attempt.as_deref().unwrap_or("later");
            let message = format!("it connects now, not at {planned}; at the earliest 10 s after the last attempt");
            (Outcome::Woken, message)
        }
        SessionPhase::Idle => {
            let obstacle = shared.board.obstacle();
            let why = obstacle.map_or_else(|| "token, certificate and clock".to_owned(), |problem| problem.message);
            (Outcome::Nothing, format!("there is nothing to connect with yet: {why}"))
        }
    };
    Line {
        part: "session",
        name: None,
        outcome,
        message,
    }
}

/// Whether a certificate is being asked for.
fn is_enrolling(shared: &ApiContext) -> bool {
    let enrolment = shared.board.identity.borrow().details.enrolment.clone();
    enrolment.is_some_and(|enrolment| enrolment.since.is_some())
}

fn enrolment(shared: &ApiContext) -> Line {
    let enrolment = shared.board.identity.borrow().details.enrolment.clone();
    let (outcome, message) = match enrolment {
        None => (
            Outcome::Nothing,
            "nothing is enrolled: enrolment.method is \"file\", and somebody puts the certificate into its place"
                .to_owned(),
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
            shared.retries.request(RetryTarget::Enrolment);
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

fn aliases(shared: &ApiContext, even_if_good: bool) -> impl Iterator<Item = Line> {
    let parts = shared.cache.parts(&*shared.clock).into_iter();
    parts.map(move |part| alias(shared, &part, even_if_good))
}

/// A good set is left alone unless its alias is named: AWS counts the requests of a whole account.
fn alias(shared: &ApiContext, part: &AliasPart, even_if_good: bool) -> Line {
    let is_good = part.phase == AliasPhase::Valid && part.problem.is_none();
    let planned = part.details.next_refresh.as_deref();
    let (outcome, message) = match (planned, is_good && !even_if_good) {
        (None, _) => (
            Outcome::Nothing,
            "they are asked for as soon as AWS has accepted the certificate".to_owned(),
        ),
        (Some(_), true) => (
            Outcome::Nothing,
            "they are valid; name the role alias to refresh them all the same".to_owned(),
        ),
        (Some(planned), false) => {
            shared
                .retries
                .request(RetryTarget::RoleAlias(part.details.name.clone()));
            let message =
                format!("they are asked for now, not at {planned}; at the earliest 10 s after the last request");
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
