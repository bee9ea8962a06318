//! /v1/outbox: the queued and the parked messages, for callers that may publish and subscribe to everything.

use hyper::StatusCode;
use serde::Serialize;

use super::message_fields::{PayloadFields, PropertyFields};
use crate::clock::rfc3339;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response, parse_query};
use crate::messages::{MessageState, OutboxEntry, OutboxMessage, Selection};

/// A page of the list.
#[derive(Serialize)]
struct Page<'a> {
    messages: Vec<EntryDocument<'a>>,
}

/// A message in a list.
#[derive(Serialize)]
struct EntryDocument<'a> {
    id: i64,
    state: &'static str,
    topic: &'a str,
    bytes: usize,
    accepted: String,
    retain: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> From<&'a OutboxEntry> for EntryDocument<'a> {
    fn from(entry: &'a OutboxEntry) -> Self {
        Self {
            id: entry.id,
            state: match entry.state {
                MessageState::Queued => "queued",
                MessageState::InFlight => "sent",
                MessageState::Parked => "parked",
            },
            topic: &entry.topic,
            bytes: entry.payload_size,
            accepted: rfc3339(entry.accepted),
            retain: entry.retain,
            reason: entry.reason.as_deref(),
        }
    }
}

/// A message with its properties and payload.
#[derive(Serialize)]
struct MessageDocument<'a> {
    #[serde(flatten)]
    entry: EntryDocument<'a>,
    #[serde(flatten)]
    properties: PropertyFields<'a>,
    #[serde(flatten)]
    payload: PayloadFields<'a>,
}

impl<'a> From<&'a OutboxMessage> for MessageDocument<'a> {
    fn from(message: &'a OutboxMessage) -> Self {
        Self {
            entry: (&message.entry).into(),
            properties: (&message.properties).into(),
            payload: PayloadFields::new(&message.payload),
        }
    }
}

/// The number of messages that were changed.
#[derive(Serialize)]
struct ChangedDocument {
    messages: usize,
}

/// Lists a page of the queued or the parked messages.
pub async fn list(
    context: &ApiContext,
    caller: &Caller,
    is_parked: bool,
    query: Option<&str>,
) -> Result<Response, ApiError> {
    authorize(context, caller)?;
    let parameters = parse_query(query, &["after"])?;
    let after = parameters.first().map_or(Ok(0), |(_, id)| parse_id(id))?;
    let entries = context.outbox.list(after, is_parked).await?;
    Ok(http::json(&Page {
        messages: entries.iter().map(EntryDocument::from).collect(),
    }))
}

/// Returns a message.
pub async fn show(context: &ApiContext, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    authorize(context, caller)?;
    match context.outbox.show(parse_id(id)?).await? {
        Some(message) => Ok(http::json(&MessageDocument::from(&message))),
        None => Err(unknown_message(id)),
    }
}

/// Deletes a message, or all queued or parked ones.
pub async fn purge(context: &ApiContext, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    authorize(context, caller)?;
    let which = parse_which(id)?;
    let is_single = matches!(which, Selection::One(_));
    let messages = context.outbox.purge(which).await?;
    respond_with_number(id, is_single, messages)
}

/// Sends a parked message again, or all of them.
pub async fn retry(context: &ApiContext, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    authorize(context, caller)?;
    let which = parse_which(id)?;
    if matches!(which, Selection::Queued) {
        return Err(ApiError::malformed("the messages in queued are sent anyway")
            .hint("those that AWS rejected are in /v1/outbox/parked"));
    }
    let is_single = matches!(which, Selection::One(_));
    let messages = context.outbox.retry(which).await?;
    respond_with_number(id, is_single, messages)
}

fn authorize(context: &ApiContext, caller: &Caller) -> Result<(), ApiError> {
    match context.may_do_everything(caller) {
        true => Ok(()),
        false => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "not_allowed",
            format!("{caller} may not read the outbox: it holds the messages of all programs"),
        )
        .hint("it is for those who may publish and subscribe to everything (#): root and group gatepost, as shipped")),
    }
}

fn respond_with_number(id: &str, is_single: bool, messages: usize) -> Result<Response, ApiError> {
    match messages {
        0 if is_single => Err(unknown_message(id)),
        _ => Ok(http::json(&ChangedDocument { messages })),
    }
}

fn parse_which(text: &str) -> Result<Selection, ApiError> {
    match text {
        "queued" => Ok(Selection::Queued),
        "parked" => Ok(Selection::Parked),
        id => parse_id(id).map(Selection::One),
    }
}

fn parse_id(text: &str) -> Result<i64, ApiError> {
    text.parse()
        .map_err(|_| ApiError::malformed(format!("\"{}\" is not a message's number", text.escape_debug())))
}

fn unknown_message(id: &str) -> ApiError {
    let message = format!("no message has the number {id}: it was sent, dropped or purged");
    ApiError::new(StatusCode::NOT_FOUND, "unknown_message", message)
}
