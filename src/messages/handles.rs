//! What the wings hold of this room.

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::context::{Outcome, StoreContext};
use super::file::StoreError;
use super::inbox::Inbox;
use super::inspect::{Entry, Which, Whole};
use super::lanes::Lanes;
use super::message::Message;
use super::outbox::{MessageRef, Outgoing, Submission, SubmitError};
use super::owner::Account;
use super::store::{Durability, Ending, Store};
use super::streams::SessionEvent;
use super::subscription_state::SubscriptionState;
use super::wanted::Wanted;
use super::{Bounds, file};
use crate::clock::SharedClock;
use crate::problem::Problem;
use crate::status::{MessagesDetails, MessagesPhase, Reporter};

/// Messages from the session that wait for the inbox; more than these wait in the session.
const ARRIVALS: usize = 32;
/// Messages at quality of service 0 that wait for the session.
const DIRECT: usize = 64;
/// For the session to send such a message; after that it is not sent any more.
const DIRECT_PATIENCE: Duration = Duration::from_secs(5);

/// The largest packet that AWS IoT takes, as its CONNACK says; it holds until this gateway has seen one.
const PACKET_LIMIT: u32 = 149_504;

/// A message at quality of service 0, which nobody keeps: sent at once or not at all.
#[derive(Debug)]
pub struct Qos0Message {
    /// The message.
    pub message: Message,
    /// Answered when the session has sent it, or cannot.
    pub sent: oneshot::Sender<Result<(), Problem>>,
}

/// The outbox, for both wings.
#[derive(Clone, Debug)]
pub struct Outbox {
    store: Store,
    news: watch::Receiver<()>,
    direct: mpsc::Sender<Qos0Message>,
    bounds: watch::Sender<Bounds>,
    packet_limit: Arc<AtomicU32>,
}

/// Everything that [`spawn`] makes.
#[derive(Debug)]
pub struct Handles {
    /// For both wings.
    pub outbox: Outbox,
    /// Messages at quality of service 0, for the session.
    pub direct: mpsc::Receiver<Qos0Message>,
    /// For the local wing.
    pub inbox: Rc<Inbox>,
    /// What the session hands over, for the inbox.
    pub arrivals: mpsc::Receiver<SessionEvent>,
    /// The session's end of that.
    pub arrive: mpsc::Sender<SessionEvent>,
    /// The filters to be subscribed to, for the session.
    pub wanted: watch::Receiver<Wanted>,
    /// Closes when everything is written and all handles are gone.
    pub ended: Ending,
}

/// Starts the thread with the database in the folder `state`.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(
    state: &Path,
    bounds: Bounds,
    clock: SharedClock,
    reporter: Reporter<MessagesPhase, MessagesDetails>,
) -> io::Result<Handles> {
    let (bounds, configured) = watch::channel(bounds);
    let (context, news) = keep_books(configured, clock.clone(), reporter);
    let (store, ended) = Store::spawn(file::path(state), context)?;
    Ok(assemble(clock, store, ended, news, bounds))
}

/// Does the same without a thread: the work is a future for the caller's own runtime, which waits for the disk then.
pub fn prepare(
    state: &Path,
    bounds: Bounds,
    clock: SharedClock,
    reporter: Reporter<MessagesPhase, MessagesDetails>,
) -> (Handles, impl Future<Output = ()> + use<>) {
    let (bounds, configured) = watch::channel(bounds);
    let (context, news) = keep_books(configured, clock.clone(), reporter);
    let (store, ended, work) = Store::with_work(file::path(state), context);
    (assemble(clock, store, ended, news, bounds), work)
}

/// Notifications: for the session about the outbox, and for the inbox about stored messages.
type News = (watch::Receiver<()>, watch::Receiver<()>);

fn keep_books(
    bounds: watch::Receiver<Bounds>,
    clock: SharedClock,
    reporter: Reporter<MessagesPhase, MessagesDetails>,
) -> (Box<StoreContext>, News) {
    let (news, heard) = watch::channel(());
    let (stored, listening) = watch::channel(());
    let context = Box::new(StoreContext::new(bounds, clock, reporter, news, stored));
    (context, (heard, listening))
}

fn assemble(
    clock: SharedClock,
    store: Store,
    ended: Ending,
    (heard, listening): News,
    bounds: watch::Sender<Bounds>,
) -> Handles {
    let (direct, directs) = mpsc::channel(DIRECT);
    let (arrive, arrivals) = mpsc::channel(ARRIVALS);
    let (wanting, wanted) = watch::channel(Wanted::new());
    Handles {
        outbox: Outbox {
            store: store.clone(),
            news: heard,
            direct,
            bounds,
            packet_limit: Arc::new(AtomicU32::new(PACKET_LIMIT)),
        },
        direct: directs,
        inbox: Rc::new(Inbox::new(store, clock, wanting, listening)),
        arrivals,
        arrive,
        wanted,
        ended,
    }
}

impl Outbox {
    /// Sets how much outbox and inbox keep, from the next message on.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.bounds.send_if_modified(|old| {
            let news = *old != bounds;
            *old = bounds;
            news
        });
    }

    /// The largest packet that the broker takes, as it said the last time.
    pub fn packet_limit(&self) -> u32 {
        self.packet_limit.load(Ordering::Relaxed)
    }

    /// The broker has said how large a packet it takes.
    pub fn note_packet_limit(&self, bytes: u32) {
        self.packet_limit.store(bytes, Ordering::Relaxed);
    }

    /// Accepts a message of an account: it is on the disk when this returns its number.
    ///
    /// # Errors
    /// When it is not accepted, with why.
    pub async fn accept(&self, message: Message, account: Account) -> Result<i64, SubmitError> {
        self.submit(Submission {
            message,
            account,
            fate: None,
        })
        .await
    }

    /// The same for somebody who waits for what becomes of it.
    ///
    /// # Errors
    /// When it is not accepted, with why.
    pub async fn accept_and_tell(
        &self,
        message: Message,
        account: Account,
    ) -> Result<(i64, oneshot::Receiver<Outcome>), SubmitError> {
        let (fate, told) = oneshot::channel();
        let submission = Submission {
            message,
            account,
            fate: Some(fate),
        };
        Ok((self.submit(submission).await?, told))
    }

    async fn submit(&self, submission: Submission) -> Result<i64, SubmitError> {
        let accepted = self
            .store
            .run(Durability::Adds, move |database| database.accept(submission));
        accepted.await?
    }

    /// Hands a message at quality of service 0 to the session.
    ///
    /// # Errors
    /// When it could not be sent, with why.
    pub async fn send_directly(&self, message: Message) -> Result<(), Problem> {
        let (sent, told) = oneshot::channel();
        let busy = || Problem::wait("more messages at quality of service 0 wait than the session can send");
        self.direct
            .try_send(Qos0Message { message, sent })
            .map_err(|_| busy())?;
        match timeout(DIRECT_PATIENCE, told).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Err(Problem::wait("the MQTT session ended before the message was sent")),
            Err(_) => Err(Problem::wait(format!(
                "the MQTT session has not sent the message in {} s: others were before it, or AWS takes nothing",
                DIRECT_PATIENCE.as_secs()
            ))),
        }
    }

    /// Rings when there may be something to send.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.clone()
    }

    /// Asks for the next messages to send; they come as the answer.
    ///
    /// # Errors
    /// When the store has ended.
    pub async fn take(
        &self,
        most: usize,
        bytes: u64,
    ) -> Result<oneshot::Receiver<Result<Vec<Outgoing>, StoreError>>, StoreError> {
        self.store
            .start(Durability::Reads, move |database| database.take(most, bytes))
            .await
    }

    /// AWS has acknowledged this one.
    pub async fn acknowledged(&self, ticket: MessageRef) {
        let work = move |database: &mut super::database::Database| {
            database.acknowledged(&ticket);
            Ok(())
        };
        let _ = self.store.start(Durability::Reads, work).await;
    }

    /// This one was not sent after all, or AWS could not take it: it is sent again.
    pub async fn again(&self, ticket: MessageRef) {
        self.change_lanes(move |lanes| lanes.again(ticket.id)).await;
    }

    /// AWS was too busy for this one: it is sent again, and what is behind it on its topic waits for it.
    pub async fn put_off(&self, ticket: MessageRef) {
        self.change_lanes(move |lanes| lanes.put_off(ticket.id)).await;
    }

    /// AWS does not take this one: it is kept aside with the reason.
    pub async fn park(&self, ticket: MessageRef, reason: String) {
        let _ = self
            .store
            .start(Durability::Writes, move |database| database.park(&ticket, &reason))
            .await;
    }

    /// The connection is lost: what was sent and not acknowledged is to be sent again.
    pub async fn connection_lost(&self) {
        self.change_lanes(Lanes::connection_lost).await;
    }

    async fn change_lanes(&self, change: impl FnOnce(&mut Lanes) + Send + 'static) {
        let work = move |database: &mut super::database::Database| {
            change(&mut database.lanes);
            Ok(())
        };
        let _ = self.store.start(Durability::Reads, work).await;
    }

    /// A page of messages after number `after`: those that wait, or the parked ones.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn list(&self, after: i64, parked: bool) -> Result<Vec<Entry>, StoreError> {
        self.store
            .run(Durability::Reads, move |database| database.list(after, parked))
            .await
    }

    /// One message.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn show(&self, id: i64) -> Result<Option<Whole>, StoreError> {
        self.store
            .run(Durability::Reads, move |database| database.show_one(id))
            .await
    }

    /// Deletes messages, and returns how many.
    ///
    /// # Errors
    /// When the database cannot be used; some may be deleted then.
    pub async fn purge(&self, which: Which) -> Result<usize, StoreError> {
        let mut purged = 0;
        loop {
            let (some, more) = self
                .store
                .run(Durability::Lasts, move |database| database.purge(which))
                .await?;
            purged += some;
            if !more {
                return Ok(purged);
            }
        }
    }

    /// Puts parked messages back into the outbox, and returns how many.
    ///
    /// # Errors
    /// When there is no room for all of them, or the database cannot be used; some may be back then.
    pub async fn retry(&self, which: Which) -> Result<usize, SubmitError> {
        let mut retried = 0;
        loop {
            let (some, more) = self
                .store
                .run(Durability::Adds, move |database| database.retry(which))
                .await??;
            retried += some;
            if !more {
                return Ok(retried);
            }
        }
    }

    /// The filters that AWS's side of the session has; `None` where nobody has ever noted them.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn subscribed(&self) -> Result<Option<Vec<(String, SubscriptionState)>>, StoreError> {
        self.store
            .run(Durability::Reads, |database| Ok(database.context.subscribed.clone()))
            .await
    }

    /// Notes which filters it has now; that this is on the disk comes as the answer.
    pub async fn note_subscribed(
        &self,
        filters: Vec<(String, SubscriptionState)>,
    ) -> Option<oneshot::Receiver<Result<(), StoreError>>> {
        let work = move |database: &mut super::database::Database| database.note_subscribed(&filters);
        self.store.start(Durability::Lasts, work).await.ok()
    }

    /// The thing name of earlier starts, so that topics can be told before the token has shown its key.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn thing(&self) -> Result<Option<String>, StoreError> {
        self.store
            .run(Durability::Reads, |database| database.fact("thing"))
            .await
    }

    /// How presence was published, as far as earlier starts know.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn presence(&self) -> Result<Option<String>, StoreError> {
        self.store
            .run(Durability::Reads, |database| database.fact("presence"))
            .await
    }

    /// Notes how presence is published.
    pub async fn note_presence(&self, manner: String) {
        let _ = self
            .store
            .start(Durability::Writes, move |database| {
                database.note_fact("presence", &manner)
            })
            .await;
    }

    /// Notes the thing name.
    pub async fn note_thing(&self, thing: String) {
        let _ = self
            .store
            .start(Durability::Writes, move |database| database.note_fact("thing", &thing))
            .await;
    }
}
