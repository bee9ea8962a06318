//! Selection and timing of the next message to send.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, sleep_until};

use super::Publisher;
use crate::messages::{Outbox, Outgoing, StoreError};

/// Read from the database at once, and their bytes.
const PAGE: (usize, u64) = (16, 128 * 1024);
/// Between two looks into a database that cannot be read.
const RETRY: Duration = Duration::from_secs(5);

/// The next message to send, by the queue that it is in.
#[derive(Debug)]
pub(in crate::cloud::session) enum Next {
    /// The first of those that were read.
    Outgoing,
    /// The first of those that others go before.
    Deferred,
    /// The one at quality of service 0 that waits.
    Qos0Message,
}

impl Publisher {
    /// The next message, when it may be sent. Cancel safe.
    pub(in crate::cloud::session) async fn next(&mut self) -> Next {
        sleep_until(self.pace.free_at()).await;
        let quiet = self.suspects.quiet_until();
        let idle = self.under_way.is_empty();
        let (answered, alone) = self.waiting.as_ref().map_or((false, false), |direct| self.how(direct));
        let room = match self.one_at_a_time() || alone {
            true => idle,
            false => self.under_way.len() < self.window,
        };
        let room = room && !self.window_is_full;
        // Nothing answers a message at quality of service 0, so no answer makes it wait.
        let direct_may_go = !self.buffer_is_full && (room || !answered);
        let room = room && !self.buffer_is_full && self.acknowledges;
        // What waits to be alone lets nothing overtake it for ever.
        let room = room && (!alone || self.one_at_a_time());
        let deferred = self.deferred.front();
        let deferred = deferred.map(|outgoing| self.unacknowledged.deferred_until(outgoing.ticket.id));
        let Self {
            direct,
            waiting,
            outbox,
            news,
            asked,
            fetched,
            not_before,
            ..
        } = self;
        let not_before = quiet.max(Some(*not_before));
        let outgoing = async {
            if !room {
                return pending().await;
            }
            if let Some(time) = not_before {
                sleep_until(time).await;
            }
            match deferred {
                None => next_of(outbox, news, asked, fetched).await,
                Some(None) => return Next::Deferred,
                Some(Some(until)) => tokio::select! {
                    () = next_of(outbox, news, asked, fetched) => {}
                    () = sleep_until(until) => return Next::Deferred,
                },
            }
            Next::Outgoing
        };
        let at_once = async {
            if waiting.is_none() {
                // Closed means that the daemon ends, which somebody else notices.
                *waiting = match direct.recv().await {
                    Some(direct) => Some(direct),
                    None => pending().await,
                };
                return;
            }
            if !direct_may_go {
                return pending().await;
            }
            if let (Some(time), true) = (quiet, alone) {
                sleep_until(time).await;
            }
        };
        // Whichever is ready, by lot if both are: neither is in the other's way.
        tokio::select! {
            () = at_once => Next::Qos0Message,
            next = outgoing => next,
        }
    }
}

/// Waits until something is in `fetched`. Cancel safe: what was asked for stays asked for.
async fn next_of(
    outbox: &Outbox,
    news: &mut watch::Receiver<()>,
    asked: &mut Option<oneshot::Receiver<Result<Vec<Outgoing>, StoreError>>>,
    fetched: &mut VecDeque<Outgoing>,
) {
    while fetched.is_empty() {
        let Some(answer) = asked else {
            news.borrow_and_update();
            match outbox.take(PAGE.0, PAGE.1).await {
                Ok(answer) => *asked = Some(answer),
                Err(_) => pending::<()>().await,
            }
            continue;
        };
        let answer = answer.await;
        *asked = None;
        match answer {
            Ok(Ok(page)) if page.is_empty() => {
                if news.changed().await.is_err() {
                    pending::<()>().await;
                }
            }
            Ok(Ok(page)) => fetched.extend(page),
            // Why is in the status, by the one who knows.
            Ok(Err(_)) | Err(_) => sleep(RETRY).await,
        }
    }
}
