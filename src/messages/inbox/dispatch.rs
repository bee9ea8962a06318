//! Copies a message to all subscribed streams, and stores it for durable subscriptions.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_local;

use super::ack::AckGuard;
use super::delivery::Delivery;
use super::durable::deliver::deliver;
use super::filters::RETAINED_TIME;
use super::retry_unstored::queue_or_lose;
use super::state::InboxState;
use super::stream::Stream;
use crate::messages::message::Received;
use crate::messages::store::error::StoreError;
use crate::messages::thread::job::Durability;
use crate::problem::Problem;
use crate::topic;

/// Passes a message to all subscriptions that match it.
pub(super) async fn dispatch(state: &Rc<InboxState>, message: Received, ack: AckGuard) {
    let message = Arc::new(message);
    // AWS repeats retained messages for every new subscriber. The others have them, and AWS keeps them.
    if message.retained && state.is_subscribed(&message.topic) {
        ack.mark_taken();
    }
    push_to_streams(state, &message, &ack);
    push_to_clients(state, &message, &ack);
    let names = state.is_durable_loaded().then(|| state.durable_matching(&message));
    if names.as_ref().is_some_and(Vec::is_empty) {
        return;
    }
    let pending = state.unstored.number(message, names.map(Arc::new), ack);
    let Some(names) = pending.names.clone().filter(|_| !state.unstored.must_wait(&pending)) else {
        // Its subscriptions are not known yet, or earlier messages wait for the disk.
        return state.unstored.push(pending);
    };
    // The outcome is awaited in a task of its own: otherwise each message would need its own commit. The store keeps the order.
    let message = pending.message.clone();
    let stored = state.store.start(Durability::SyncedInsert, move |database| {
        deliver(database, &names, &message)
    });
    let Ok(outcome) = stored.await else { return };
    let state = state.clone();
    spawn_local(async move {
        match outcome.await.unwrap_or_else(|_| Err(store_ended())) {
            Ok(true) => pending.mark_taken(),
            // The subscriptions were deleted meanwhile.
            Ok(false) => {}
            Err(why) => queue_or_lose(&state, pending, &why).await,
        }
    });
}

fn push_to_streams(state: &Rc<InboxState>, message: &Arc<Received>, ack: &AckGuard) {
    let now = state.clock.boot();
    let received = state.clock.wall();
    let mut too_slow = Vec::new();
    for stream in state.streams.borrow().iter() {
        let matches =
            stream.durable_name.is_none() && !stream.has_ended() && topic::matches(&stream.filter, &message.topic);
        if !matches || (message.retained && !expects_retained(stream, now)) {
            continue;
        }
        let delivery = Delivery {
            id: None,
            message: message.clone(),
            received,
        };
        if !stream.push(delivery, ack.clone()) {
            too_slow.push(stream.clone());
        }
    }
    for stream in too_slow {
        state.cut_off(&stream);
    }
}

fn push_to_clients(state: &InboxState, message: &Arc<Received>, ack: &AckGuard) {
    let now = state.clock.boot();
    for client in state.clients.borrow().iter() {
        client.offer(message, ack, now);
    }
}

/// Returns whether the retained messages for a stream may still arrive.
fn expects_retained(stream: &Stream, now: Duration) -> bool {
    stream
        .confirmed
        .get()
        .is_none_or(|then| now.saturating_sub(then) < RETAINED_TIME)
}

fn store_ended() -> StoreError {
    Problem::wait("gatepost is shutting down").into()
}
