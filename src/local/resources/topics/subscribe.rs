//! GET /topics/{filter}: a stream of messages, one JSON object a line; and what goes with durable subscriptions.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use serde::{Deserialize, Serialize};

use super::super::super::access::Permission;
use super::super::super::answer::{self, Answer, ApiError};
use super::super::super::body;
use super::super::super::caller::Caller;
use super::super::super::parameters::parameters;
use super::super::super::view::ApiContext;
use super::{allowed, meant, quality, too_many};
use crate::messages::{
    AcknowledgeOutcome, DurableSubscriptionDocument, DurableSubscriptionError, MAX_FILTERS, SubscribeError, Subscriber,
};
use crate::qos::Qos;
use crate::topic;

/// A durable subscription's name has at most so many characters.
const MAX_NAME: usize = 64;
/// The body of an acknowledgement.
const MAX_BODY: usize = 1024;

/// Subscribes: the answer goes on until one of both sides has enough.
pub async fn get(
    shared: &Rc<ApiContext>,
    caller: &Caller,
    segments: &[&str],
    query: Option<&str>,
) -> Result<Answer, ApiError> {
    let (filter, thing) = meant(shared, segments).await?;
    topic::check_filter(&filter).map_err(ApiError::malformed)?;
    let (mut qos, mut name) = (Qos::AtLeastOnce, None);
    for (parameter, value) in parameters(query, &["qos", "name"])? {
        match parameter.as_ref() {
            "qos" => qos = quality(&value)?,
            _ => name = Some(checked_name(&value)?),
        }
    }
    let permission = Permission::Subscribe(&filter);
    allowed(shared, caller, permission, &thing)?;
    let by_unit = shared.access.borrow().is_given_by_unit(caller, permission, &thing);
    let subscriber = Subscriber {
        reader: caller.account(),
        owner: caller.owner(by_unit),
        accounts: shared.access.borrow().accounts().clone(),
        filter,
        qos,
        max_filters: match shared.may_do_everything(caller) {
            true => MAX_FILTERS,
            false => MAX_FILTERS / 2,
        },
    };
    let subscription = match name {
        None => shared.inbox.subscribe(&subscriber),
        Some(name) => shared.inbox.subscribe_durable(&subscriber, &name).await,
    };
    let (view, caller) = (Rc::downgrade(shared), caller.clone());
    let may = move |topic: &str| {
        let view = view.upgrade();
        view.is_some_and(|view| {
            let access = view.access.borrow();
            access.rule_for(&caller, Permission::Subscribe(topic), &thing).is_some()
        })
    };
    let subscription = subscription.map_err(not_subscribed)?;
    Ok(answer::lines(subscription.restrict(may)))
}

fn not_subscribed(why: SubscribeError) -> ApiError {
    match why {
        SubscribeError::Banned(left) => too_many(
            "too_slow",
            format!(
                "this user's subscription was cut off because its program did not read; a new one is let in again in {} s",
                left.as_secs() + 1
            ),
        )
        .hint("read faster, or subscribe with ?name=NAME, which keeps messages on the disk"),
        SubscribeError::TooManyStreams(most) => too_many(
            "too_many_subscriptions",
            format!("one user may have {most} subscriptions open at once"),
        )
        .hint("read several topics by one subscription with a wildcard"),
        SubscribeError::TooManyFilters(most) => too_many(
            "too_many_filters",
            format!("AWS IoT takes {most} subscriptions of a gateway, and the programs on it have as many filters"),
        )
        .hint("use a wildcard that takes in several of them; gatepost subscriptions shows those that are kept"),
        SubscribeError::TooManyOfOne(most) => too_many(
            "too_many_filters",
            format!("one user may have {most} topic filters, half of what AWS IoT takes of a gateway"),
        )
        .hint("use a wildcard that takes in several of them; gatepost subscriptions shows those that are kept"),
        SubscribeError::DurableSubscriptionError(DurableSubscriptionError::TooMany(most)) => too_many(
            "too_many_subscriptions",
            format!("a gateway has at most {most} durable subscriptions"),
        )
        .hint("delete those that no program uses any more: DELETE /subscriptions/NAME"),
        SubscribeError::DurableSubscriptionError(DurableSubscriptionError::TooManyOfOne(most)) => too_many(
            "too_many_subscriptions",
            format!("one user or unit may have {most} durable subscriptions"),
        )
        .hint("delete those that no program uses any more: gatepost subscriptions"),
        SubscribeError::DurableSubscriptionError(DurableSubscriptionError::Owned) => not_yours(),
        SubscribeError::Unusable(why) => ApiError::not_ready(&why),
    }
}

/// Another owner's: who that is, is nobody else's business.
fn not_yours() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "not_yours",
        "a durable subscription of this name belongs to somebody else",
    )
    .hint("choose another name")
}

/// The caller's durable subscriptions, or everybody's to whoever may do everything.
pub async fn list(shared: &ApiContext, caller: &Caller) -> Result<Answer, ApiError> {
    #[derive(Serialize)]
    struct Document {
        subscriptions: Vec<DurableSubscriptionDocument>,
    }
    let mut subscriptions = shared.inbox.list_durable().await.map_err(ApiError::from)?;
    if !shared.may_do_everything(caller) {
        subscriptions.retain(|kept| caller.is_owner(&kept.owner));
    }
    answer::json(&Document { subscriptions })
}

/// The program has everything up to a message.
pub async fn acknowledge(
    shared: &ApiContext,
    caller: &Caller,
    name: &str,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct UpTo {
        id: i64,
    }
    own(shared, caller, name).await?;
    let body = body::read(request.into_body(), MAX_BODY).await?;
    let up_to: UpTo = serde_json::from_slice(&body).map_err(|error| {
        ApiError::malformed(format!("the body does not name a message: {error}"))
            .hint("{\"id\": N} with the id of the last message that is dealt with")
    })?;
    let acknowledged = shared.inbox.acknowledge(name, up_to.id).await;
    match acknowledged.map_err(ApiError::from)? {
        AcknowledgeOutcome::Done | AcknowledgeOutcome::More => done(true),
        AcknowledgeOutcome::Unknown => done(false),
        AcknowledgeOutcome::Beyond(last) => Err(ApiError::malformed(format!(
            "no message has the number {} yet: the last one has {last}",
            up_to.id
        ))),
    }
}

/// Ends a durable subscription.
pub async fn delete(shared: &ApiContext, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
    own(shared, caller, name).await?;
    let known = shared.inbox.delete_durable(name).await;
    done(known.map_err(ApiError::from)?)
}

async fn own(shared: &ApiContext, caller: &Caller, name: &str) -> Result<(), ApiError> {
    let all = shared.inbox.list_durable().await.map_err(ApiError::from)?;
    let owner = all.into_iter().find(|kept| kept.name() == name).map(|kept| kept.owner);
    match owner {
        None => done(false).map(drop),
        Some(owner) if caller.is_owner(&owner) || shared.may_do_everything(caller) => Ok(()),
        Some(_) => Err(not_yours()),
    }
}

fn done(known: bool) -> Result<Answer, ApiError> {
    match known {
        true => answer::json(&serde_json::json!({ "message": "OK" })),
        false => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "unknown_subscription",
            "there is no durable subscription of this name",
        )
        .hint("GET /subscriptions shows yours; GET /topics/FILTER?name=NAME makes one")),
    }
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(legal) {
        true => Ok(name.to_owned()),
        false => Err(ApiError::malformed(format!(
            "a durable subscription's name has 1 to {MAX_NAME} letters, digits and - _ ."
        ))),
    }
}
