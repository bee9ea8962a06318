//! Delivers stored messages of a durable subscription to its program.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::deliveries;
use super::subscription::StoredMessage;
use crate::messages::database::Database;
use crate::messages::inbox::delivery::{Delivery, StreamEnd};
use crate::messages::store::error::StoreError;
use crate::messages::thread::Store;
use crate::messages::thread::job::Durability;

/// Messages that are read from the database at once.
const PAGE_MESSAGES: usize = 32;
/// Bytes that are read from the database at once.
const PAGE_BYTES: usize = 128 * 1024;

/// The inbox's end of what a program reads.
pub(in crate::messages) trait Reader {
    /// Returns whether the rules allow messages on this topic to the program.
    fn allows(&self, topic: &str) -> bool;
    /// Appends a stored message.
    fn push_stored(&self, delivery: Delivery);
    /// Waits until the program has read enough for more to be appended, or the end.
    async fn wait_for_room(&self);
    /// Returns whether the program reads no more.
    fn has_ended(&self) -> bool;
    /// Waits until the program reads no more.
    async fn wait_until_ended(&self);
    /// Ends with a reason.
    fn end_feed(&self, why: StreamEnd);
}

/// Reads a durable subscription from the database as fast as its program reads.
pub(in crate::messages) async fn feed<R: Reader>(
    store: Store,
    mut changed: watch::Receiver<()>,
    stream: Rc<R>,
    name: String,
) {
    let mut position = 0;
    while !stream.has_ended() {
        changed.borrow_and_update();
        match read_page(&store, &name, position).await {
            Ok(Some(page)) if !page.is_empty() => deliver_page(&store, &*stream, &name, page, &mut position).await,
            Ok(Some(_)) => tokio::select! {
                changed = changed.changed() => if changed.is_err() { return },
                () = stream.wait_until_ended() => {}
            },
            Ok(None) => return stream.end_feed(StreamEnd::Deleted),
            Err(StoreError { problem, .. }) => return stream.end_feed(StreamEnd::Unusable(problem)),
        }
    }
}

async fn read_page(store: &Store, name: &str, after: i64) -> Result<Option<Vec<StoredMessage>>, StoreError> {
    let name = name.to_owned();
    let read = move |database: &mut Database| deliveries::read(database, &name, after, PAGE_MESSAGES, PAGE_BYTES);
    store.run(Durability::ReadOnly, read).await
}

async fn deliver_page<R: Reader>(store: &Store, stream: &R, name: &str, page: Vec<StoredMessage>, position: &mut i64) {
    let mut withheld = Vec::new();
    for stored in page {
        *position = stored.id;
        // The rule that allowed the message may have been removed since. The message stays stored whatever is acknowledged
        // after it, because the rule may return.
        if !stream.allows(&stored.message.topic) {
            if !stored.withheld {
                withheld.push(stored.id);
            }
            continue;
        }
        // This is stored before the program can acknowledge any later message.
        set_withheld(store, name, std::mem::take(&mut withheld), true).await;
        if stored.withheld {
            set_withheld(store, name, vec![stored.id], false).await;
        }
        let delivery = Delivery {
            id: Some(stored.id),
            message: Arc::new(stored.message),
            received: stored.received,
        };
        stream.push_stored(delivery);
        stream.wait_for_room().await;
    }
    set_withheld(store, name, withheld, true).await;
}

/// Records whether messages are withheld. If the disk does not accept that, the next acknowledgement deletes them.
async fn set_withheld(store: &Store, name: &str, ids: Vec<i64>, withheld: bool) {
    if ids.is_empty() {
        return;
    }
    let name = name.to_owned();
    let set = move |database: &mut Database| deliveries::set_withheld(database, &name, &ids, withheld);
    let _ = store.run(Durability::Unsynced, set).await;
}
