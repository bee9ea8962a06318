//! A message on its way to the programs: into their streams, or onto the disk and from there.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_local;

use super::file::StoreError;
use super::inbox::{Begun, Inbox};
use super::kept::DurableSubscription;
use super::message::Received;
use super::store::{Durability, Store};
use super::streams::{AckGuard, Stream};
use crate::clock::rfc3339;
use crate::problem::Problem;
use crate::topic;

/// After AWS has accepted a subscription, its retained messages come within this time.
const RETAINED: Duration = Duration::from_secs(10);
/// Messages of a durable subscription that are read from the disk at once, and their bytes.
const PAGE: (usize, usize) = (32, 128 * 1024);

impl Inbox {
    /// Hands a message to everybody who wants it.
    pub(super) async fn hand_out(self: &Rc<Self>, message: Received, taken: AckGuard) {
        self.hand_to_streams(&message, &taken);
        let names = self.known.get().then(|| self.names_for(&message));
        if names.as_ref().is_some_and(Vec::is_empty) {
            return;
        }
        let names = names.map(Arc::new);
        let one = self.held.one(Arc::new(message), names, taken);
        let Some(names) = one.names.clone().filter(|_| !self.held.is_behind_others(&one)) else {
            // Whose it is can only be said, or its turn is only there, when the disk is usable.
            return self.held.hold(one);
        };
        // Not waited for here: one message after the other would be one commit each, and they are kept in their order anyway.
        let message = one.message.clone();
        let keep = self
            .store
            .start(Durability::Adds, move |database| database.deliver(&names, &message));
        let Ok(outcome) = keep.await else { return };
        let inbox = self.clone();
        spawn_local(async move {
            if let Err(why) = outcome.await.unwrap_or_else(|_| Err(ending())) {
                inbox.was_not_kept(one, &why).await;
            }
        });
    }

    /// The durable subscriptions that want a message that has just come.
    pub(super) fn names_for(&self, message: &Received) -> Vec<String> {
        let (kept, now) = (self.kept.borrow(), self.clock.boot());
        let wants = |kept: &&DurableSubscription| {
            topic::matches(&kept.filter, &message.topic)
                && (!message.retained || self.is_news(&kept.name, &message.topic, now))
        };
        let suspended = self.suspended.borrow();
        let kept = kept.iter().filter(|kept| !suspended.contains(&kept.name));
        kept.filter(wants).map(|kept| kept.name.clone()).collect()
    }

    /// What came meanwhile is lost, so what AWS has retained is news to everybody.
    pub(super) fn new_session(&self) {
        self.session_is_new.set(true);
        self.all_begin_again();
        for stream in self.streams.borrow().iter() {
            stream.confirmed.set(None);
        }
        self.want();
    }

    pub(super) fn all_begin_again(&self) {
        let all = self.kept.borrow();
        let begun = all.iter().map(|kept| (kept.name.clone(), Begun::default()));
        self.new.borrow_mut().extend(begun);
    }

    /// Whether a retained message is news to the durable subscription: it has just begun, and this is the first that comes.
    /// Another program that subscribes to the same filter has AWS send it to all of them again.
    fn is_news(&self, name: &str, topic: &str, now: Duration) -> bool {
        self.new.borrow_mut().get_mut(name).is_some_and(|new| {
            new.confirmed.is_none_or(|then| now.saturating_sub(then) < RETAINED)
                && new.retained.insert(topic.to_owned())
        })
    }

    fn hand_to_streams(&self, message: &Received, taken: &AckGuard) {
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

fn ending() -> StoreError {
    Problem::wait("gatepost is ending").into()
}

/// Whether the retained messages for a stream have yet to come.
fn is_fresh(stream: &Stream, now: Duration) -> bool {
    stream
        .confirmed
        .get()
        .is_none_or(|then| now.saturating_sub(then) < RETAINED)
}

/// Notes of messages whether they are withheld. Where the disk does not take that, they go with the next acknowledgement.
async fn withhold(store: &Store, name: &str, ids: Vec<i64>, withheld: bool) {
    if ids.is_empty() {
        return;
    }
    let name = name.to_owned();
    let noted = store.run(Durability::Writes, move |database| {
        database.withhold(&name, &ids, withheld)
    });
    let _ = noted.await;
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
            store.run(Durability::Reads, move |database| {
                database.read_kept(&name, after, most, bytes)
            })
        };
        match page.await {
            Ok(Some(page)) if !page.is_empty() => {
                let mut withheld = Vec::new();
                for kept in page {
                    position = kept.id;
                    // It may have come under a rule that was taken away since. It stays where it is, whatever is acknowledged
                    // behind it: the rule may come back.
                    if !stream.gives(&kept.message.topic) {
                        if !kept.withheld {
                            withheld.push(kept.id);
                        }
                        continue;
                    }
                    // That is noted before the program can acknowledge anything behind it.
                    withhold(&store, &name, std::mem::take(&mut withheld), true).await;
                    if kept.withheld {
                        withhold(&store, &name, vec![kept.id], false).await;
                    }
                    let line = kept.message.line(&rfc3339(kept.received), Some(kept.id));
                    stream.push(line, AckGuard::nothing());
                    stream.drained().await;
                }
                withhold(&store, &name, withheld, true).await;
            }
            Ok(Some(_)) => tokio::select! {
                changed = stored.changed() => if changed.is_err() { return },
                () = stream.ended() => {}
            },
            Ok(None) => {
                let hint = Some("subscribe again with the same name");
                return stream.end("deleted", "the durable subscription is gone", hint);
            }
            Err(StoreError { problem, .. }) => {
                return stream.end("unusable", &problem.message, problem.next_step.as_deref());
            }
        }
    }
}
