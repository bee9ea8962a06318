//! A message on its way to the programs: into their streams, or onto the disk and from there.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::database::Failure;
use super::inbox::Inbox;
use super::kept::Kept;
use super::message::Received;
use super::store::{Care, Store};
use super::streams::{Stream, Taken};
use crate::clock::rfc3339;
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::topic;

/// After AWS has accepted a subscription, its retained messages come within this time.
const RETAINED: Duration = Duration::from_secs(10);
/// Between two tries to keep a message on a disk that is full, and how often it is tried before it is given up.
const RETRY: Duration = Duration::from_secs(5);
const TRIES: u32 = 60;
/// Messages of a durable subscription that are read from the disk at once, and their bytes.
const PAGE: (usize, usize) = (32, 128 * 1024);

impl Inbox {
    /// Hands a message to everybody who wants it.
    pub(super) async fn hand_out(&self, message: Received, taken: Taken) {
        let names: Vec<String> = {
            let (kept, now) = (self.kept.borrow(), self.clock.boot());
            let wants = |kept: &&Kept| {
                let retained = message.retained && !self.is_new(&kept.name, now);
                !retained && topic::matches(&kept.filter, &message.topic)
            };
            kept.iter().filter(wants).map(|kept| kept.name.clone()).collect()
        };
        self.hand_to_streams(&message, &taken);
        if names.is_empty() {
            return;
        }
        // Not waited for here: one message after the other would be one commit each, and they are kept in their order anyway.
        let topic = message.topic.clone();
        let (message, names) = (Arc::new(message), Arc::new(names));
        let keep = {
            let (message, names) = (message.clone(), names.clone());
            self.store
                .start(Care::Lasts, move |books| books.deliver(&names, &message))
        };
        let Ok(outcome) = keep.await else { return };
        let store = self.store.clone();
        spawn_local(async move {
            let mut outcome = outcome.await.unwrap_or_else(|_| Err(ending()));
            let mut tries = 1;
            // Without an acknowledgement AWS keeps the message, and sends fewer others: better than to lose it at once.
            while let (Err(_), true) = (&outcome, tries < TRIES) {
                sleep(RETRY).await;
                tries += 1;
                let (message, names) = (message.clone(), names.clone());
                outcome = store
                    .run(Care::Lasts, move |books| books.deliver(&names, &message))
                    .await;
            }
            if let Err(Failure { problem, .. }) = outcome {
                not_kept(&topic, &problem);
                let lost = names.len() as u64;
                let count = store.run(Care::Reads, move |books| {
                    books.bookkeeper.counts.inbox_dropped += lost;
                    Ok(())
                });
                let _ = count.await;
            }
            drop(taken);
        });
    }

    /// Whether the durable subscription has just begun, so that retained messages are news to it.
    fn is_new(&self, name: &str, now: Duration) -> bool {
        let new = self.new.borrow();
        new.get(name)
            .is_some_and(|confirmed| confirmed.is_none_or(|then| now.saturating_sub(then) < RETAINED))
    }

    fn hand_to_streams(&self, message: &Received, taken: &Taken) {
        let now = self.clock.boot();
        let received = rfc3339(self.clock.wall());
        let mut line = None;
        let mut cut = Vec::new();
        for stream in self.streams.borrow().iter() {
            let wants = stream.kept.is_none() && !stream.has_ended() && topic::matches(&stream.filter, &message.topic);
            if !wants || (message.retained && !is_fresh(stream, now)) {
                continue;
            }
            let line = line.get_or_insert_with(|| message.line(&received, None));
            if !stream.push(line.clone(), taken.clone()) {
                cut.push(stream.clone());
            }
        }
        for stream in cut {
            self.was_cut(&stream);
        }
    }
}

fn ending() -> Failure {
    Problem::wait("gatepost is ending").into()
}

fn not_kept(topic: &str, problem: &Problem) {
    journal!(
        Level::Error, Event::InboxLost, TOPIC = topic;
        "inbox: a message on {topic} was not kept for the durable subscriptions: {problem}"
    );
}

/// Whether the retained messages for a stream have yet to come.
fn is_fresh(stream: &Stream, now: Duration) -> bool {
    stream
        .confirmed
        .get()
        .is_none_or(|then| now.saturating_sub(then) < RETAINED)
}

/// Reads a durable subscription from the disk as fast as its program takes it.
pub(super) async fn feed(store: Store, mut stored: watch::Receiver<()>, stream: Rc<Stream>, name: String) {
    let mut position = 0;
    while !stream.has_ended() {
        stored.borrow_and_update();
        let (most, bytes) = PAGE;
        let page = {
            let name = name.clone();
            let after = position;
            store.run(Care::Reads, move |books| books.read_kept(&name, after, most, bytes))
        };
        match page.await {
            Ok(Some(page)) if !page.is_empty() => {
                for kept in page {
                    position = kept.id;
                    let line = kept.message.line(&rfc3339(kept.received), Some(kept.id));
                    stream.push(line, Taken::nothing());
                    stream.drained().await;
                }
            }
            Ok(Some(_)) => tokio::select! {
                changed = stored.changed() => if changed.is_err() { return },
                () = stream.ended() => {}
            },
            Ok(None) => {
                let hint = Some("subscribe again with the same name");
                return stream.end("deleted", "the durable subscription is gone", hint);
            }
            Err(Failure { problem, .. }) => {
                return stream.end("unusable", &problem.message, problem.next_step.as_deref());
            }
        }
    }
}
