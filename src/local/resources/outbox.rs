//! /v1/outbox: the messages that wait and those that AWS did not take, for whoever may do everything.

use hyper::{Method, StatusCode};
use serde::Serialize;

use super::super::answer::{self, Answer, ApiError};
use super::super::caller::Caller;
use super::super::parameters::parameters;
use super::super::view::ApiContext;
use crate::messages::{Entry, Selection};

/// A page of the list.
#[derive(Serialize)]
struct Page {
    messages: Vec<Entry>,
}

/// What was done, and to how many.
#[derive(Serialize)]
struct Done {
    messages: usize,
}

/// Answers a request for what is behind `/v1/outbox`.
pub async fn answer(
    shared: &ApiContext,
    caller: &Caller,
    method: &Method,
    path: &[&str],
    query: Option<&str>,
) -> Result<Answer, ApiError> {
    if !shared.may_do_everything(caller) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "not_allowed",
            format!("{caller} may not look into the outbox: it holds every program's messages"),
        )
        .hint("it is for those who may publish and subscribe to everything (#): root and group gatepost, as shipped"));
    }
    match (method.as_str(), path) {
        ("GET", ["queued" | "parked"]) => {
            let after = after(query)?;
            let messages = shared
                .outbox
                .list(after, path == ["parked"])
                .await
                .map_err(ApiError::from)?;
            answer::json(&Page { messages })
        }
        ("GET", [id]) => match shared.outbox.show(number(id)?).await.map_err(ApiError::from)? {
            Some(message) => answer::json(&message),
            None => Err(unknown(id)),
        },
        ("DELETE", [what]) => {
            let messages = shared.outbox.purge(which(what)?).await.map_err(ApiError::from)?;
            done(what, messages)
        }
        ("POST", [what @ "queued", "retry"]) => {
            Err(ApiError::malformed(format!("the messages in {what} are sent anyway"))
                .hint("those that AWS did not take are in /v1/outbox/parked"))
        }
        ("POST", [what, "retry"]) => {
            let messages = shared.outbox.retry(which(what)?).await.map_err(ApiError::from)?;
            done(what, messages)
        }
        (_, [_] | [_, "retry"]) => Err(ApiError::only("GET and DELETE, and POST to its retry")),
        _ => Err(
            ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such resource").hint(
                "there are /v1/outbox/queued, /v1/outbox/parked and /v1/outbox/{id}, and /retry behind the last two",
            ),
        ),
    }
}

fn done(what: &str, messages: usize) -> Result<Answer, ApiError> {
    match (messages, which(what)?) {
        (0, Selection::One(_)) => Err(unknown(what)),
        _ => answer::json(&Done { messages }),
    }
}

fn which(what: &str) -> Result<Selection, ApiError> {
    match what {
        "queued" => Ok(Selection::Queued),
        "parked" => Ok(Selection::Parked),
        id => number(id).map(Selection::One),
    }
}

fn number(id: &str) -> Result<i64, ApiError> {
    id.parse()
        .map_err(|_| ApiError::malformed(format!("\"{}\" is no message's number", id.escape_debug())))
}

fn after(query: Option<&str>) -> Result<i64, ApiError> {
    let parameters = parameters(query, &["after"])?;
    parameters.first().map_or(Ok(0), |(_, id)| number(id))
}

fn unknown(id: &str) -> ApiError {
    let message = format!("no message has the number {id}: it was sent, dropped or purged");
    ApiError::new(StatusCode::NOT_FOUND, "unknown_message", message)
}
