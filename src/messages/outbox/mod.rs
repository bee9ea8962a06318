//! The outbox: messages that were accepted and not yet acknowledged. [`Outbox`] is the handle for other threads.

pub(in crate::messages) mod admin;
mod make_room;
pub(in crate::messages) mod message_ref;
pub(in crate::messages) mod outcome;
mod pipelined;
pub(in crate::messages) mod qos0;
mod rows;
mod schedule;
pub(in crate::messages) mod sequence;
mod share;
pub(in crate::messages) mod state;
pub(in crate::messages) mod table;
mod topic_counts;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{oneshot, watch};

use self::admin::{OutboxEntry, OutboxMessage, Selection};
use self::message_ref::{MessageRef, Outgoing, Submission, SubmitError};
use self::outcome::Outcome;
pub use self::pipelined::BatchOutcome;
use self::qos0::Qos0Queue;
use self::schedule::Schedule;
use self::sequence::Sequence;
use super::bounds::Bounds;
use super::database::Database;
use super::message::Message;
use super::owner::Account;
use super::store::error::StoreError;
use super::store::metadata;
use super::subscription_state::SubscriptionState;
use super::thread::Store;
use super::thread::job::Durability;
use crate::problem::Problem;

/// Largest packet that AWS IoT accepts according to its CONNACK; applies until this gateway has received one.
const DEFAULT_PACKET_LIMIT: u32 = 149_504;
/// Metadata: the thing name.
const THING: &str = "thing";
/// Metadata: how presence was published.
const PRESENCE: &str = "presence";

/// Handle of the outbox.
#[derive(Clone, Debug)]
pub struct Outbox {
    store: Store,
    changed: watch::Receiver<()>,
    qos0: Qos0Queue,
    bounds: watch::Sender<Bounds>,
    packet_limit: Arc<AtomicU32>,
}

impl Outbox {
    pub(super) fn new(
        store: Store,
        changed: watch::Receiver<()>,
        qos0: Qos0Queue,
        bounds: watch::Sender<Bounds>,
    ) -> Self {
        Self {
            store,
            changed,
            qos0,
            bounds,
            packet_limit: Arc::new(AtomicU32::new(DEFAULT_PACKET_LIMIT)),
        }
    }

    /// Sets the bounds of outbox and inbox, from the next message on.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.bounds.send_if_modified(|old| {
            let is_new = *old != bounds;
            *old = bounds;
            is_new
        });
    }

    /// Returns the largest packet that the broker accepts, according to its last CONNACK.
    pub fn packet_limit(&self) -> u32 {
        self.packet_limit.load(Ordering::Relaxed)
    }

    /// Records the largest packet that the broker accepts.
    pub fn set_packet_limit(&self, bytes: u32) {
        self.packet_limit.store(bytes, Ordering::Relaxed);
    }

    /// Accepts a message of an account. The message is on the disk when this returns its number.
    ///
    /// # Errors
    /// If the message is not accepted.
    pub async fn accept(&self, message: Message, account: Account) -> Result<i64, SubmitError> {
        self.submit(Submission::new(message, account, None)).await
    }

    /// Accepts a message, and returns a channel that receives its outcome as well.
    ///
    /// # Errors
    /// If the message is not accepted.
    pub async fn accept_with_outcome(
        &self,
        message: Message,
        account: Account,
    ) -> Result<(i64, oneshot::Receiver<Outcome>), SubmitError> {
        let (waiter, outcome) = oneshot::channel();
        let submission = Submission::new(message, account, Some(waiter));
        Ok((self.submit(submission).await?, outcome))
    }

    async fn submit(&self, submission: Submission) -> Result<i64, SubmitError> {
        let accept = move |database: &mut Database| table::accept(database, submission);
        self.store.run(Durability::SyncedInsert, accept).await?
    }

    /// Accepts several messages in one step, in this order; those in a sequence only if all before them in it are accepted. A caller that
    /// waits for its turn only, and not for the outcome, keeps the order among its own batches.
    ///
    /// # Errors
    /// If the store has ended.
    pub async fn start_batch(
        &self,
        batch: Vec<(Message, Account, Option<Sequence>)>,
    ) -> Result<BatchOutcome, StoreError> {
        pipelined::start_batch(&self.store, batch).await
    }

    /// Passes a QoS 0 message to the session as soon as that has room for it. The channel receives whether it was sent; the message
    /// is not sent once the receiver is dropped.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn start_qos0(&self, message: Message) -> Result<oneshot::Receiver<Result<(), Problem>>, Problem> {
        self.qos0.start(message).await
    }

    /// Passes a QoS 0 message to the session.
    ///
    /// # Errors
    /// If the message could not be sent.
    pub async fn send_qos0(&self, message: Message) -> Result<(), Problem> {
        self.qos0.send(message).await
    }

    /// Returns a channel that changes when a message may be ready to be sent.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.clone()
    }

    /// Requests the next messages to send: at most `max`, and at most `bytes` unless it is a single message.
    ///
    /// # Errors
    /// If the store has ended.
    pub async fn take(
        &self,
        max: usize,
        bytes: u64,
    ) -> Result<oneshot::Receiver<Result<Vec<Outgoing>, StoreError>>, StoreError> {
        self.store
            .start(Durability::ReadOnly, move |database| table::take(database, max, bytes))
            .await
    }

    /// Removes a message that AWS has acknowledged.
    pub async fn acknowledge(&self, message: MessageRef) {
        let work = move |database: &mut Database| {
            table::acknowledge(database, &message);
            Ok(())
        };
        let _ = self.store.start(Durability::ReadOnly, work).await;
    }

    /// Schedules a message to be sent again: it was not sent after all, or AWS could not accept it.
    pub async fn retransmit(&self, message: MessageRef) {
        self.update_schedule(move |schedule| schedule.retransmit(message.id))
            .await;
    }

    /// Schedules a message to be sent again because AWS was too busy; later messages of its topic wait until then.
    pub async fn defer(&self, message: MessageRef) {
        self.update_schedule(move |schedule| schedule.defer(message.id)).await;
    }

    /// Parks a message that AWS does not accept.
    pub async fn park(&self, message: MessageRef, reason: String) {
        let park = move |database: &mut Database| table::park(database, &message, &reason);
        let _ = self.store.start(Durability::Unsynced, park).await;
    }

    /// Schedules everything that was sent and not acknowledged to be sent again, because the connection is lost.
    pub async fn connection_lost(&self) {
        self.update_schedule(Schedule::connection_lost).await;
    }

    async fn update_schedule(&self, update: impl FnOnce(&mut Schedule) + Send + 'static) {
        let work = move |database: &mut Database| {
            update(&mut database.outbox.schedule);
            Ok(())
        };
        let _ = self.store.start(Durability::ReadOnly, work).await;
    }

    /// Lists a page of the messages after number `after`: the parked ones, or those in the outbox.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn list(&self, after: i64, parked: bool) -> Result<Vec<OutboxEntry>, StoreError> {
        self.store
            .run(Durability::ReadOnly, move |database| {
                admin::list(database, after, parked)
            })
            .await
    }

    /// Reads one message.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn show(&self, id: i64) -> Result<Option<OutboxMessage>, StoreError> {
        let read = move |database: &mut Database| admin::read_details(database, id);
        self.store.run(Durability::ReadOnly, read).await
    }

    /// Deletes messages, and returns how many.
    ///
    /// # Errors
    /// If the database cannot be used; some messages may be deleted already.
    pub async fn purge(&self, selection: Selection) -> Result<usize, StoreError> {
        admin::purge_all(&self.store, selection).await
    }

    /// Moves parked messages back to the outbox, and returns how many.
    ///
    /// # Errors
    /// If there is no room for all of them, or the database cannot be used; some messages may be moved already.
    pub async fn retry(&self, selection: Selection) -> Result<usize, SubmitError> {
        admin::retry_all(&self.store, selection).await
    }

    /// Returns the filters that AWS's side of the session has; `None` if they were never stored.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn subscribed(&self) -> Result<Option<Vec<(String, SubscriptionState)>>, StoreError> {
        self.store
            .run(Durability::ReadOnly, |database| Ok(database.context.subscribed.clone()))
            .await
    }

    /// Stores the filters that AWS's side of the session has. The channel reports when they are on the disk.
    pub async fn store_subscribed(
        &self,
        filters: Vec<(String, SubscriptionState)>,
    ) -> Option<oneshot::Receiver<Result<(), StoreError>>> {
        let store = move |database: &mut Database| database.store_subscribed(&filters);
        self.store.start(Durability::Synced, store).await.ok()
    }

    /// Returns the thing name of earlier starts, by which topics are checked before the token has shown its key.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn thing(&self) -> Result<Option<String>, StoreError> {
        self.read_metadata(THING).await
    }

    /// Stores the thing name.
    pub async fn store_thing(&self, thing: String) {
        self.write_metadata(THING, thing).await;
    }

    /// Returns how presence was published, as far as earlier starts have stored it.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn presence(&self) -> Result<Option<String>, StoreError> {
        self.read_metadata(PRESENCE).await
    }

    /// Stores how presence is published.
    pub async fn store_presence(&self, manner: String) {
        self.write_metadata(PRESENCE, manner).await;
    }

    async fn read_metadata(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        let read = move |database: &mut Database| metadata::read(&database.connection, name);
        self.store.run(Durability::ReadOnly, read).await
    }

    async fn write_metadata(&self, name: &'static str, value: String) {
        let write = move |database: &mut Database| metadata::write(&database.connection, name, &value);
        let _ = self.store.start(Durability::Unsynced, write).await;
    }
}
