//! Starts the store's thread and makes the handles that other threads use.

use std::io;
use std::path::Path;
use std::rc::Rc;

use tokio::sync::{mpsc, watch};

use super::bounds::Bounds;
use super::context::StoreContext;
use super::inbox::Inbox;
use super::inbox::filters::DesiredFilters;
use super::inbox::session_event::SessionEvent;
use super::outbox::Outbox;
use super::outbox::qos0::{Qos0Message, Qos0Queue};
use super::store::file;
use super::thread::{EndSignal, Store};
use crate::clock::SharedClock;
use crate::status::{MessagesDetails, MessagesPhase, Reporter};

/// Events from the session that wait for the inbox; further ones wait in the session.
const MAX_SESSION_EVENTS: usize = 32;

/// Handles of outbox and inbox, and the channels between inbox and session.
#[derive(Debug)]
pub struct Handles {
    /// The outbox, for the local and the cloud thread.
    pub outbox: Outbox,
    /// QoS 0 messages, for the session.
    pub qos0_messages: mpsc::Receiver<Qos0Message>,
    /// The inbox, for the local thread.
    pub inbox: Rc<Inbox>,
    /// Events from the session, for the inbox.
    pub session_events: mpsc::Receiver<SessionEvent>,
    /// The session's end of `session_events`.
    pub event_sender: mpsc::Sender<SessionEvent>,
    /// Filters to subscribe to, for the session.
    pub desired_filters: watch::Receiver<DesiredFilters>,
    /// Closes when everything is written and all handles are dropped.
    pub ended: EndSignal,
}

/// Starts the store's thread with the database in the folder `state`.
///
/// # Errors
/// If the system cannot start a thread.
pub fn spawn(
    state: &Path,
    bounds: Bounds,
    clock: SharedClock,
    reporter: Reporter<MessagesPhase, MessagesDetails>,
) -> io::Result<Handles> {
    let (bounds, configured) = watch::channel(bounds);
    let (context, changes) = make_context(configured, clock.clone(), reporter);
    let (store, ended) = Store::spawn(file::path(state), context)?;
    Ok(make_handles(clock, store, ended, changes, bounds))
}

/// Makes the handles without a thread. The store's work is a future for the caller's own runtime, which then waits for the
/// disk.
pub fn prepare(
    state: &Path,
    bounds: Bounds,
    clock: SharedClock,
    reporter: Reporter<MessagesPhase, MessagesDetails>,
) -> (Handles, impl Future<Output = ()> + use<>) {
    let (bounds, configured) = watch::channel(bounds);
    let (context, changes) = make_context(configured, clock.clone(), reporter);
    let (store, ended, work) = Store::with_work(file::path(state), context);
    (make_handles(clock, store, ended, changes, bounds), work)
}

/// Notifications of the store.
struct Changes {
    outbox: watch::Receiver<()>,
    durable: watch::Receiver<()>,
}

fn make_context(
    bounds: watch::Receiver<Bounds>,
    clock: SharedClock,
    reporter: Reporter<MessagesPhase, MessagesDetails>,
) -> (Box<StoreContext>, Changes) {
    let (outbox_changed, outbox) = watch::channel(());
    let (durable_changed, durable) = watch::channel(());
    let context = StoreContext::new(bounds, clock, reporter, outbox_changed, durable_changed);
    (Box::new(context), Changes { outbox, durable })
}

fn make_handles(
    clock: SharedClock,
    store: Store,
    ended: EndSignal,
    changes: Changes,
    bounds: watch::Sender<Bounds>,
) -> Handles {
    let (qos0, qos0_messages) = Qos0Queue::new();
    let (event_sender, session_events) = mpsc::channel(MAX_SESSION_EVENTS);
    let (filters_sender, desired_filters) = watch::channel(DesiredFilters::new());
    Handles {
        outbox: Outbox::new(store.clone(), changes.outbox, qos0, bounds),
        qos0_messages,
        inbox: Rc::new(Inbox::new(store, clock, filters_sender, changes.durable)),
        session_events,
        event_sender,
        desired_filters,
        ended,
    }
}
