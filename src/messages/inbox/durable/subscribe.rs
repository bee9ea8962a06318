//! Opens, lists, acknowledges and deletes durable subscriptions.

use std::rc::Rc;

use tokio::task::spawn_local;

use super::feed::feed;
use super::subscription::{AcknowledgeOutcome, DurableSubscription, SubscriptionStatus};
use super::{deliveries, table};
use crate::messages::database::Database;
use crate::messages::inbox::client_items::FilterEvent;
use crate::messages::inbox::delivery::StreamEnd;
use crate::messages::inbox::filters::MAX_FILTERS;
use crate::messages::inbox::open_stream::{MAX_STREAMS, MAX_STREAMS_PER_READER, check_filter_share, open_stream};
use crate::messages::inbox::permissions::update_suspended;
use crate::messages::inbox::state::{InboxState, StartedSubscription};
use crate::messages::inbox::stream::{Stream, Subscription};
use crate::messages::inbox::subscriber::{SubscribeError, Subscriber};
use crate::messages::store::error::StoreError;
use crate::messages::thread::job::Durability;

/// Opens a stream of the durable subscription `name`: its stored messages, then new ones. A second reader replaces the first.
pub(in crate::messages::inbox) async fn subscribe(
    state: &Rc<InboxState>,
    subscriber: &Subscriber,
    name: &str,
) -> Result<Subscription, SubscribeError> {
    check_limits(state, subscriber, name)?;
    let (request, owned_name) = (subscriber.clone(), name.to_owned());
    let create = move |database: &mut Database| {
        let Subscriber {
            owner,
            filter,
            qos,
            accounts,
            ..
        } = &request;
        table::create_or_resume(database, &owned_name, owner, filter, *qos, accounts)
    };
    let subscription = state
        .store
        .run(Durability::SyncedInsert, create)
        .await
        .map_err(|why| SubscribeError::Unusable(why.problem))?
        .map_err(SubscribeError::Durable)?;
    let before = replace_known(state, subscription);
    update_suspended(state);
    end_streams(state, name, &StreamEnd::TakenOver);
    state.remove_ended_streams();
    let subscription = open_stream(state, subscriber, Some(name)).inspect_err(|_| {
        // Another request was faster.
        undo(state, name, before);
    })?;
    spawn_local(feed(
        state.store.clone(),
        state.durable_changed.clone(),
        subscription.stream.clone(),
        name.to_owned(),
    ));
    Ok(subscription)
}

/// Puts the subscription into the state; returns the one of this name that was there.
fn replace_known(state: &InboxState, subscription: DurableSubscription) -> Option<DurableSubscription> {
    let mut durable = state.durable.borrow_mut();
    let position = durable.iter().position(|known| known.name == subscription.name);
    let before = position.map(|position| durable.remove(position));
    if before.as_ref().is_none_or(|known| known.filter != subscription.filter) {
        let mut started = state.started.borrow_mut();
        started.insert(subscription.name.clone(), StartedSubscription::default());
    }
    durable.push(subscription);
    before
}

/// Undoes a request that was refused after the subscription was stored: it is deleted, or restored to what it was `before`.
fn undo(state: &InboxState, name: &str, before: Option<DurableSubscription>) {
    let mut durable = state.durable.borrow_mut();
    durable.retain(|known| known.name != name);
    durable.extend(before.clone());
    drop(durable);
    state.update_desired_filters();
    let (store, name) = (state.store.clone(), name.to_owned());
    let undo = move |database: &mut Database| match before {
        Some(before) => table::undo_resume(database, &before),
        None => table::delete(database, &name).map(drop),
    };
    spawn_local(async move { store.run(Durability::Unsynced, undo).await });
}

/// Checks that `subscriber` may become the reader of the durable subscription `name`, before anything is changed.
fn check_limits(state: &InboxState, subscriber: &Subscriber, name: &str) -> Result<(), SubscribeError> {
    check_filter_share(state, subscriber, Some(name))?;
    let is_other = |stream: &&Rc<Stream>| stream.durable_name.as_deref() != Some(name) && !stream.has_ended();
    let streams = state.streams.borrow();
    let others = || streams.iter().filter(is_other);
    let of_reader = others().filter(|stream| stream.reader == subscriber.reader).count();
    if of_reader >= MAX_STREAMS_PER_READER || others().count() >= MAX_STREAMS {
        return Err(SubscribeError::TooManyStreams(MAX_STREAMS_PER_READER));
    }
    let desired = state.minimal_filters(Some((name, subscriber)));
    if desired.len() > MAX_FILTERS && !state.desired.borrow().contains_key(&subscriber.filter) {
        return Err(SubscribeError::TooManyFilters(MAX_FILTERS));
    }
    Ok(())
}

fn end_streams(state: &InboxState, name: &str, why: &StreamEnd) {
    let streams = state.streams.borrow();
    let of_subscription = streams
        .iter()
        .filter(|stream| stream.durable_name.as_deref() == Some(name));
    for stream in of_subscription {
        stream.end(why.clone());
    }
}

/// Lists the durable subscriptions.
pub(in crate::messages::inbox) async fn list(state: &InboxState) -> Result<Vec<SubscriptionStatus>, StoreError> {
    let list = |database: &mut Database| Ok(database.durable.all().cloned().collect::<Vec<_>>());
    let all = state.store.run(Durability::ReadOnly, list).await?;
    let suspended = state.suspended.borrow();
    let with_status = all.into_iter().map(|subscription| SubscriptionStatus {
        is_suspended: suspended.iter().any(|(name, _)| *name == subscription.name),
        subscription,
    });
    Ok(with_status.collect())
}

/// Deletes the delivered messages up to number `up_to`.
pub(in crate::messages::inbox) async fn acknowledge(
    state: &InboxState,
    name: &str,
    up_to: i64,
) -> Result<AcknowledgeOutcome, StoreError> {
    loop {
        let name = name.to_owned();
        let acknowledge = move |database: &mut Database| deliveries::acknowledge(database, &name, up_to);
        match state.store.run(Durability::Unsynced, acknowledge).await? {
            AcknowledgeOutcome::More => {}
            outcome => return Ok(outcome),
        }
    }
}

/// Deletes a durable subscription; returns whether it existed.
pub(in crate::messages::inbox) async fn delete(state: &InboxState, name: &str) -> Result<bool, StoreError> {
    let owned_name = name.to_owned();
    let delete = move |database: &mut Database| table::delete(database, &owned_name);
    let existed = state.store.run(Durability::Synced, delete).await?;
    state
        .durable
        .borrow_mut()
        .retain(|subscription| subscription.name != name);
    end_streams(state, name, &StreamEnd::Deleted);
    for client in state.clients.borrow().iter() {
        if client.durable_name.as_deref() == Some(name) {
            client.tell(FilterEvent::Deleted);
        }
    }
    update_suspended(state);
    state.update_desired_filters();
    Ok(existed)
}
