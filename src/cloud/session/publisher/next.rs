//! Selects the next message to send, and waits until it may be sent.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, sleep_until};

use super::Publisher;
use super::qos0::{Delivery, delivery};
use crate::messages::{Outbox, Outgoing, StoreError};

/// Most messages, and most bytes of messages, that are read from the outbox at once.
const PAGE: (usize, u64) = (16, 128 * 1024);
/// Time between two attempts to read an outbox that cannot be read.
const RETRY: Duration = Duration::from_secs(5);

/// The queue that holds the next message.
#[derive(Debug)]
pub(in crate::cloud::session) enum Next {
    /// Fetched messages of the outbox.
    Outgoing,
    /// Deferred messages of the outbox.
    Deferred,
    /// The waiting message at QoS 0.
    Qos0Message,
}

/// Returns the queue of the next message once that message may be sent. Cancel safe.
pub(in crate::cloud::session) async fn next(publisher: &mut Publisher) -> Next {
    sleep_until(publisher.rate.free_at()).await;
    let quiet = publisher.suspects.quiet_until();
    let waiting = publisher.waiting.as_ref();
    let Delivery { answered, alone } = waiting.map_or_else(Delivery::default, |qos0| delivery(publisher, qos0));
    let window_has_room = match publisher.one_at_a_time() || alone {
        true => publisher.in_flight.is_empty(),
        false => publisher.in_flight.len() < publisher.window,
    };
    let window_has_room = window_has_room && !publisher.window_is_full;
    // The receive window does not apply to QoS 0.
    let qos0_may_go = !publisher.buffer_is_full && (window_has_room || !answered);
    // A message at QoS 0 that must be alone lets no further message of the outbox pass, so that it does not wait for ever.
    let outgoing_may_go =
        window_has_room && !publisher.buffer_is_full && publisher.acknowledges && (!alone || publisher.one_at_a_time());
    let deferred = publisher.deferred.front();
    let deferred = deferred.map(|outgoing| publisher.unacknowledged.deferred_until(outgoing.message_ref.id));
    let Publisher {
        qos0_messages,
        waiting,
        outbox,
        news,
        requested,
        fetched,
        is_drained,
        not_before,
        ..
    } = publisher;
    let not_before = quiet.max(Some(*not_before));
    let outgoing = async {
        if !outgoing_may_go {
            return pending().await;
        }
        if let Some(time) = not_before {
            sleep_until(time).await;
        }
        match deferred {
            None => fetch(outbox, news, requested, fetched, is_drained).await,
            Some(None) => return Next::Deferred,
            Some(Some(until)) => tokio::select! {
                () = fetch(outbox, news, requested, fetched, is_drained) => {}
                () = sleep_until(until) => return Next::Deferred,
            },
        }
        Next::Outgoing
    };
    let qos0 = async {
        if waiting.is_none() {
            // A closed channel means that the daemon shuts down, which the session task notices.
            *waiting = match qos0_messages.recv().await {
                Some(qos0) => Some(qos0),
                None => pending().await,
            };
            return;
        }
        if !qos0_may_go {
            return pending().await;
        }
        if let (Some(time), true) = (quiet, alone) {
            sleep_until(time).await;
        }
    };
    // If both are ready, the choice is random, so that neither starves.
    tokio::select! {
        () = qos0 => Next::Qos0Message,
        next = outgoing => next,
    }
}

/// Waits until `fetched` holds a message. Cancel safe: a page that was requested stays requested.
async fn fetch(
    outbox: &Outbox,
    news: &mut watch::Receiver<()>,
    requested: &mut Option<oneshot::Receiver<Result<Vec<Outgoing>, StoreError>>>,
    fetched: &mut VecDeque<Outgoing>,
    is_drained: &mut bool,
) {
    while fetched.is_empty() {
        if *is_drained {
            // Each packet from AWS cancels this wait, and must not cost a question to the store's thread.
            if news.changed().await.is_err() {
                pending::<()>().await;
            }
            *is_drained = false;
        }
        let Some(page) = requested else {
            news.borrow_and_update();
            match outbox.take(PAGE.0, PAGE.1).await {
                Ok(page) => *requested = Some(page),
                Err(_) => pending::<()>().await,
            }
            continue;
        };
        let page = page.await;
        *requested = None;
        match page {
            Ok(Ok(page)) if page.is_empty() => *is_drained = true,
            Ok(Ok(page)) => fetched.extend(page),
            // The store reports the reason in the status.
            Ok(Err(_)) | Err(_) => sleep(RETRY).await,
        }
    }
}

#[cfg(test)]
mod tests;
