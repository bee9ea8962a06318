//! /subscriptions: lists, acknowledges and deletes durable subscriptions.

use std::borrow::Cow;

use hyper::StatusCode;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use crate::local::access::Permission;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response, read_body};
use crate::messages::{AcknowledgeOutcome, SubscriptionStatus};
use crate::qos::Qos;

/// Maximum length of a durable subscription's name.
const MAX_NAME: usize = 64;
/// Maximum size of an acknowledgement's body.
const MAX_BODY: usize = 1024;

/// The body of a list.
#[derive(Serialize)]
struct Document<'a> {
    subscriptions: Vec<SubscriptionDocument<'a>>,
}

/// A durable subscription in a list.
#[derive(Serialize)]
struct SubscriptionDocument<'a> {
    name: &'a str,
    owner: String,
    /// Several filters of a session are separated by commas.
    filter: Cow<'a, str>,
    qos: Qos,
    /// The client identifier, if it is the session of an MQTT client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    waiting: u64,
    waiting_bytes: u64,
    dropped: u64,
    withheld: u64,
    suspended: bool,
}

impl<'a> From<&'a SubscriptionStatus> for SubscriptionDocument<'a> {
    fn from(status: &'a SubscriptionStatus) -> Self {
        let subscription = &status.subscription;
        Self {
            name: &subscription.name,
            owner: subscription.owner.to_string(),
            filter: match &subscription.session {
                None => Cow::Borrowed(&subscription.filter),
                Some(_) => {
                    let filters: Vec<&str> = subscription.filters().map(|(filter, _)| filter).collect();
                    Cow::Owned(filters.join(", "))
                }
            },
            qos: subscription.qos,
            client_id: subscription.session.as_ref().map(|session| session.client_id.as_str()),
            waiting: subscription.total.messages,
            waiting_bytes: subscription.total.bytes,
            dropped: subscription.dropped,
            withheld: subscription.withheld,
            suspended: status.is_suspended,
        }
    }
}

/// The body of an acknowledgement.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    /// The last message that was processed.
    id: i64,
}

/// Lists the caller's durable subscriptions, or all of them if the caller may do everything.
pub async fn list(context: &ApiContext, caller: &Caller) -> Result<Response, ApiError> {
    check_early(context, caller)?;
    let mut all = context.inbox.list_durable().await?;
    if !context.may_do_everything(caller) {
        all.retain(|status| caller.is_owner(&status.subscription.owner));
    }
    Ok(http::json(&Document {
        subscriptions: all.iter().map(SubscriptionDocument::from).collect(),
    }))
}

/// Acknowledges all messages up to the one in the body.
pub async fn acknowledge(
    context: &ApiContext,
    caller: &Caller,
    name: &str,
    body: Incoming,
) -> Result<Response, ApiError> {
    check_early(context, caller)?;
    check_owner(context, caller, name).await?;
    let body = read_body(body, MAX_BODY).await?;
    let Acknowledgement { id } = serde_json::from_slice(&body).map_err(|error| {
        ApiError::malformed(format!("the body does not name a message: {error}"))
            .hint("{\"id\": N} with the id of the last message that was processed")
    })?;
    match context.inbox.acknowledge(name, id).await? {
        AcknowledgeOutcome::Done | AcknowledgeOutcome::More => Ok(success()),
        AcknowledgeOutcome::Unknown => Err(unknown_subscription()),
        AcknowledgeOutcome::Beyond(last) => Err(ApiError::malformed(format!(
            "no message has the number {id} yet: the last one has {last}"
        ))),
    }
}

/// Deletes a durable subscription.
pub async fn delete(context: &ApiContext, caller: &Caller, name: &str) -> Result<Response, ApiError> {
    check_early(context, caller)?;
    check_owner(context, caller, name).await?;
    match context.inbox.delete_durable(name).await? {
        true => Ok(success()),
        false => Err(unknown_subscription()),
    }
}

/// Checks the name of a durable subscription.
///
/// # Errors
/// If it is too long or has other characters than permitted.
pub fn parse_name(name: &str) -> Result<String, ApiError> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_legal) {
        true => Ok(name.to_owned()),
        false => Err(ApiError::malformed(format!(
            "a durable subscription's name has 1 to {MAX_NAME} letters, digits and - _ ."
        ))),
    }
}

/// Returns the error for a subscription of another owner, whose name is confidential.
pub fn not_owned() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "not_yours",
        "a durable subscription of this name belongs to another user",
    )
    .hint("choose another name")
}

/// Rejects a caller that no rule names and that may subscribe to nothing, before the disk is waited for. A caller that a rule
/// names may have subscriptions from a time when it had more permissions.
fn check_early(context: &ApiContext, caller: &Caller) -> Result<(), ApiError> {
    if context.access.borrow().has_rule_for(caller) {
        return Ok(());
    }
    Ok(context.authorize_any(caller, Permission::Subscribe("#"))?)
}

async fn check_owner(context: &ApiContext, caller: &Caller, name: &str) -> Result<(), ApiError> {
    let all = context.inbox.list_durable().await?;
    let found = all.into_iter().map(|status| status.subscription);
    match found.into_iter().find(|subscription| subscription.name == name) {
        None => Err(unknown_subscription()),
        Some(subscription) if caller.is_owner(&subscription.owner) || context.may_do_everything(caller) => Ok(()),
        Some(_) => Err(not_owned()),
    }
}

fn success() -> Response {
    http::json(&serde_json::json!({ "message": "OK" }))
}

fn unknown_subscription() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "unknown_subscription",
        "there is no durable subscription of this name",
    )
    .hint("GET /subscriptions lists yours; GET /topics/FILTER?name=NAME creates one")
}
