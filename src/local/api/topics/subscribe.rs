//! GET /topics/{filter}: subscribes, and streams messages as one JSON object a line.

use std::rc::Rc;

use super::message_lines::MessageLines;
use super::target::{PLACEHOLDER_THING, Target, parse_qos, resolve};
use crate::local::access::Permission;
use crate::local::api::subscriptions::{not_owned, parse_name};
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response, parse_query};
use crate::messages::{DurableSubscriptionError, MAX_FILTERS, SubscribeError, Subscriber};
use crate::qos::Qos;
use crate::topic::{self, THING};

/// Subscribes. The response ends when either side closes the connection.
pub async fn subscribe(
    context: &Rc<ApiContext>,
    caller: &Caller,
    segments: &[&str],
    query: Option<&str>,
) -> Result<Response, ApiError> {
    check_early(context, caller, segments)?;
    let Target { text: filter, thing } = resolve(context, segments).await?;
    topic::check_filter(&filter).map_err(ApiError::malformed)?;
    let (mut qos, mut name) = (Qos::AtLeastOnce, None);
    for (parameter, value) in parse_query(query, &["qos", "name"])? {
        match parameter.as_ref() {
            "qos" => qos = parse_qos(&value)?,
            _ => name = Some(parse_name(&value)?),
        }
    }
    let permission = Permission::Subscribe(&filter);
    context.authorize(caller, permission, &thing)?;
    let by_unit = context.access.borrow().is_given_by_unit(caller, permission, &thing);
    let subscriber = Subscriber {
        reader: caller.account(),
        owner: caller.owner(by_unit),
        accounts: context.access.borrow().accounts().clone(),
        filter,
        qos,
        max_filters: match context.may_do_everything(caller) {
            true => MAX_FILTERS,
            false => MAX_FILTERS / 2,
        },
    };
    let subscription = match name {
        None => context.inbox.subscribe(&subscriber),
        Some(name) => context.inbox.subscribe_durable(&subscriber, &name).await,
    };
    let subscription = subscription.map_err(subscribe_error)?;
    // Each message is checked against the present rules, which a reload may have changed.
    let (weak_context, caller) = (Rc::downgrade(context), caller.clone());
    let may_receive = move |topic: &str| {
        weak_context.upgrade().is_some_and(|context| {
            let access = context.access.borrow();
            access
                .find_rule(&caller, Permission::Subscribe(topic), &thing)
                .is_some()
        })
    };
    Ok(http::lines(MessageLines(subscription.restrict(may_receive))))
}

/// Rejects a filter that AWS would not accept, and a caller that may subscribe to nothing, before anything is waited for.
fn check_early(context: &ApiContext, caller: &Caller, segments: &[&str]) -> Result<(), ApiError> {
    let (text, thing) = (segments.join("/"), context.thing_name.known());
    let assumed_thing = thing.as_deref().unwrap_or(PLACEHOLDER_THING);
    topic::check_filter(&text.replace(THING, assumed_thing)).map_err(ApiError::malformed)?;
    // While the name is unknown the placeholder stays: a rule may have it as well.
    let text = thing.map_or_else(|| text.clone(), |thing| text.replace(THING, &thing));
    Ok(context.authorize_any(caller, Permission::Subscribe(&text))?)
}

fn subscribe_error(error: SubscribeError) -> ApiError {
    match error {
        SubscribeError::Banned(remaining) => ApiError::too_many(
            "too_slow",
            format!(
                "this user's subscription was cut off because its program did not read; it may subscribe again in {} s",
                remaining.as_secs() + 1
            ),
        )
        .hint("read faster, or subscribe with ?name=NAME, which keeps messages on the disk"),
        SubscribeError::TooManyStreams(limit) => ApiError::too_many(
            "too_many_subscriptions",
            format!("one user may have {limit} subscriptions open at once"),
        )
        .hint("read several topics by one subscription with a wildcard"),
        SubscribeError::TooManyFilters(limit) => ApiError::too_many(
            "too_many_filters",
            format!("AWS IoT allows a gateway {limit} subscriptions, and its programs use all of them"),
        )
        .hint("use a wildcard that covers several of them; gatepost subscriptions lists the durable ones"),
        SubscribeError::TooManyOfReader(limit) => ApiError::too_many(
            "too_many_filters",
            format!("one user may have {limit} topic filters, half of what AWS IoT allows a gateway"),
        )
        .hint("use a wildcard that covers several of them; gatepost subscriptions lists the durable ones"),
        SubscribeError::Durable(DurableSubscriptionError::TooMany(limit)) => ApiError::too_many(
            "too_many_subscriptions",
            format!("a gateway has at most {limit} durable subscriptions"),
        )
        .hint("delete those that no program uses any more: DELETE /subscriptions/NAME"),
        SubscribeError::Durable(DurableSubscriptionError::TooManyOfAccount(limit)) => ApiError::too_many(
            "too_many_subscriptions",
            format!("one user or unit may have {limit} durable subscriptions"),
        )
        .hint("delete those that no program uses any more: gatepost subscriptions"),
        SubscribeError::Durable(DurableSubscriptionError::Owned) => not_owned(),
        SubscribeError::Unusable(problem) => ApiError::not_ready(&problem),
    }
}
