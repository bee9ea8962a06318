//! Stores queued messages once the disk accepts them, and gives up those that block others for too long.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::time::timeout;

use super::durable::deliver::deliver;
use super::state::InboxState;
use super::unstored::PendingMessage;
use crate::event::{Event, journal};
use crate::messages::store::error::StoreError;
use crate::messages::thread::job::Durability;
use crate::problem::Problem;

/// Between two checks whether queued messages block others.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Number of checks between two attempts to store a message.
const CHECKS_PER_ATTEMPT: u32 = 5;

/// Queues a message that the disk did not accept, or loses it if it cannot wait.
pub(super) async fn queue_or_lose(state: &InboxState, pending: PendingMessage, why: &StoreError) {
    match pending.can_wait() {
        true => state.unstored.push(pending),
        false => {
            lose(state, &pending, &why.problem);
            report_lost(state).await;
        }
    }
}

/// Stores queued messages as soon as the disk accepts them.
pub(super) async fn run(state: Rc<InboxState>) {
    loop {
        let Some(pending) = state.unstored.first() else {
            state.unstored.clear_blocked();
            report_lost(&state).await;
            state.unstored.wait_for_change().await;
            continue;
        };
        match store(&state, &pending).await {
            Ok(stored) => {
                if stored {
                    pending.mark_taken();
                }
                state.unstored.remove(&pending);
                report_lost(&state).await;
            }
            Err(problem) => {
                // This clone would delay the acknowledgement of a message that is given up.
                drop(pending);
                wait_for_disk(&state, &problem).await;
            }
        }
    }
}

/// Stores a message; returns whether any durable subscription still exists for it.
async fn store(state: &InboxState, pending: &PendingMessage) -> Result<bool, Problem> {
    let Some(names) = pending.names.clone() else {
        return Err(Problem::wait("the list of durable subscriptions cannot be read"));
    };
    let message: Arc<_> = pending.message.clone();
    let stored = state.store.run(Durability::SyncedInsert, move |database| {
        deliver(database, &names, &message)
    });
    stored.await.map_err(|why| why.problem)
}

/// Waits until the next attempt. Gives up messages that block others for too long meanwhile.
async fn wait_for_disk(state: &InboxState, problem: &Problem) {
    for _ in 0..CHECKS_PER_ATTEMPT {
        if timeout(CHECK_INTERVAL, wait_until_loaded(state)).await.is_ok() {
            return;
        }
        for pending in state.unstored.give_up() {
            lose(state, &pending, problem);
        }
        report_lost(state).await;
    }
}

/// Returns when the durable subscriptions become known; never if they are known already.
async fn wait_until_loaded(state: &InboxState) {
    if state.is_durable_loaded() {
        return std::future::pending().await;
    }
    state.wait_until_durable_loaded().await;
}

fn lose(state: &InboxState, pending: &PendingMessage, problem: &Problem) {
    let topic = pending.message.topic.as_str();
    journal!(
        Level::Error, Event::InboxLost, TOPIC = topic;
        "inbox: a message on {topic} was not stored for the durable subscriptions: {problem}"
    );
    let subscriptions = pending.names.as_ref().map_or(1, |names| names.len());
    state
        .unstored
        .add_lost(u64::try_from(subscriptions).unwrap_or(u64::MAX));
}

/// Reports lost messages to the status. They are counted until the database can be opened, which the status depends on.
async fn report_lost(state: &InboxState) {
    let lost = state.unstored.take_lost();
    if lost == 0 {
        return;
    }
    let report = state.store.run(Durability::ReadOnly, move |database| {
        database.context.counts.inbox_dropped += lost;
        Ok(())
    });
    if report.await.is_err() {
        state.unstored.add_lost(lost);
    }
}
