//! The inbox: messages from AWS on their way to programs. The thread that serves local programs uses it through [`Inbox`].

pub(in crate::messages) mod ack;
pub(in crate::messages) mod client_items;
pub(in crate::messages) mod client_queue;
pub(in crate::messages) mod clients;
pub(in crate::messages) mod delivery;
mod dispatch;
pub(in crate::messages) mod durable;
pub(in crate::messages) mod filters;
mod open_stream;
pub(in crate::messages) mod own_subscriptions;
mod permissions;
mod reader_bans;
mod retry_unstored;
mod session;
pub(in crate::messages) mod session_event;
mod state;
pub(in crate::messages) mod stream;
pub(in crate::messages) mod subscriber;
#[cfg(test)]
mod tests;
mod unstored;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use log::Level;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::sleep;

use self::client_queue::ClientInbox;
use self::clients::Client;
use self::delivery::StreamEnd;
use self::durable::session_record::SessionFilter;
use self::durable::sessions::{self, OpenedSession, SessionRequest};
use self::durable::subscription::{AcknowledgeOutcome, SubscriptionStatus};
use self::filters::DesiredFilters;
use self::session_event::SessionEvent;
use self::state::InboxState;
use self::stream::Subscription;
use self::subscriber::{SubscribeError, Subscriber};
use super::owner::Owner;
use super::store::error::StoreError;
use super::thread::Store;
use super::thread::job::Durability;
use crate::clock::SharedClock;
use crate::event::{Event, journal};
use crate::user_accounts::UserAccounts;

/// The interval between attempts to read the durable subscriptions of earlier runs of the daemon.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Handle of the inbox.
#[derive(Debug)]
pub struct Inbox {
    state: Rc<InboxState>,
}

impl Inbox {
    pub(super) fn new(
        store: Store,
        clock: SharedClock,
        desired: watch::Sender<DesiredFilters>,
        durable_changed: watch::Receiver<()>,
    ) -> Self {
        Self {
            state: Rc::new(InboxState::new(store, clock, desired, durable_changed)),
        }
    }

    /// Handles events until the task of the session with AWS has ended, at shutdown.
    pub async fn run(self: Rc<Self>, mut events: mpsc::Receiver<SessionEvent>) {
        let state = &self.state;
        spawn_local(load_durable(state.clone()));
        spawn_local(retry_unstored::run(state.clone()));
        spawn_local(sessions::expire(state.clone()));
        while let Some(event) = events.recv().await {
            match event {
                SessionEvent::Message(message, ack) => dispatch::dispatch(state, message, ack).await,
                SessionEvent::NewSession => session::start_session(state),
                SessionEvent::Subscribed(filter) => session::confirm_filter(state, &filter),
                SessionEvent::Refused(filter, why) => session::refuse_filter(state, &filter, &why),
            }
        }
    }

    /// Opens a stream of new messages.
    ///
    /// # Errors
    /// If a limit is reached.
    pub fn subscribe(&self, subscriber: &Subscriber) -> Result<Subscription, SubscribeError> {
        let banned = self
            .state
            .bans
            .borrow()
            .remaining(&subscriber.reader, self.state.clock.boot());
        match banned {
            Some(remaining) => Err(SubscribeError::Banned(remaining)),
            None => open_stream::open_stream(&self.state, subscriber, None),
        }
    }

    /// Opens the queue of an MQTT client, which has no filters yet.
    pub fn open_client(&self, client: Client) -> ClientInbox {
        clients::open(&self.state, client)
    }

    /// Adds a filter to an MQTT client, or changes its quality of service. A [`FilterEvent`](client_items::FilterEvent) follows
    /// once AWS has answered.
    ///
    /// # Errors
    /// If a limit is reached.
    pub fn add_client_filter(
        &self,
        client: &ClientInbox,
        subscriber: &Subscriber,
        filter: &SessionFilter,
        wants_retained: bool,
    ) -> Result<(), SubscribeError> {
        clients::add_filter(&self.state, client, subscriber, filter, wants_retained)
    }

    /// Restores the filter of a session that is resumed.
    pub fn restore_client_filter(&self, client: &ClientInbox, filter: &SessionFilter) {
        clients::restore_filter(&self.state, client, filter);
    }

    /// Resumes or creates the session of an MQTT client.
    ///
    /// # Errors
    /// If it belongs to somebody else, a limit is reached, or the database cannot be used.
    pub async fn open_session(&self, request: SessionRequest) -> Result<OpenedSession, SubscribeError> {
        sessions::open(&self.state, request).await
    }

    /// Stores the subscriptions of a session.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn store_session(&self, name: &str) -> Result<(), StoreError> {
        sessions::store(&self.state, name).await
    }

    /// Records that the client of a session has gone. An expiry of 0 seconds ends the session.
    pub async fn leave_session(&self, name: &str, expiry: u32) {
        sessions::leave(&self.state, name, expiry).await;
    }

    /// Deletes messages of a session that its client has acknowledged.
    pub async fn acknowledge_stored(&self, name: &str, ids: Vec<i64>) {
        sessions::acknowledge(&self.state, name, ids).await;
    }

    /// Returns the wall clock's time, which decides when messages expire.
    pub fn now(&self) -> SystemTime {
        self.state.clock.wall()
    }

    /// Removes a filter of an MQTT client; returns whether it was there.
    pub fn remove_client_filter(&self, client: &ClientInbox, filter: &str) -> bool {
        clients::remove_filter(&self.state, client, filter)
    }

    /// Bans an MQTT client that was cut off because it did not read or acknowledge.
    pub fn ban_client(&self, client: &ClientInbox) {
        self.state
            .bans
            .borrow_mut()
            .add(&client.queue.name, self.state.clock.boot());
    }

    /// Opens a stream of the durable subscription `name`: its stored messages, then new ones. A second reader replaces the
    /// first.
    ///
    /// # Errors
    /// If it has another owner, or a limit is reached.
    pub async fn subscribe_durable(&self, subscriber: &Subscriber, name: &str) -> Result<Subscription, SubscribeError> {
        durable::subscribe::subscribe(&self.state, subscriber, name).await
    }

    /// Lists the durable subscriptions.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn list_durable(&self) -> Result<Vec<SubscriptionStatus>, StoreError> {
        durable::subscribe::list(&self.state).await
    }

    /// Deletes the messages up to number `up_to` that were delivered to the program of a durable subscription.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn acknowledge(&self, name: &str, up_to: i64) -> Result<AcknowledgeOutcome, StoreError> {
        durable::subscribe::acknowledge(&self.state, name, up_to).await
    }

    /// Deletes a durable subscription; returns whether it existed.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn delete_durable(&self, name: &str) -> Result<bool, StoreError> {
        durable::subscribe::delete(&self.state, name).await
    }

    /// Sets the function that decides whether a durable subscription's owner may still use its filter.
    pub fn set_permission_check(&self, check: impl Fn(&Owner, &str) -> bool + 'static) {
        self.state.permission_check.replace(Some(Box::new(check)));
    }

    /// Sets which users share an account.
    pub async fn set_user_accounts(&self, accounts: Arc<UserAccounts>) {
        // A failure does no harm: without the database nothing is stored, and the accounts are set again before the next subscription is.
        let set = self.state.store.run(Durability::ReadOnly, move |database| {
            database.context.user_accounts = accounts.as_ref().clone();
            Ok(())
        });
        let _ = set.await;
    }

    /// Checks the permissions of all subscriptions after the rules have changed. Ends the streams that are not allowed any more,
    /// and suspends the durable subscriptions that are not.
    pub fn recheck_permissions(&self) {
        let state = &self.state;
        for stream in state.streams.borrow().iter().filter(|stream| !stream.is_allowed()) {
            journal!(
                Level::Info, Event::AccessRefused, TOPIC = stream.filter.as_str();
                "inbox: the subscription of {} to {} has ended: no rule allows it any more", stream.reader, stream.filter
            );
            stream.end(StreamEnd::NotAllowed);
        }
        state.remove_ended_streams();
        clients::recheck_permissions(state);
        permissions::update_suspended(state);
        state.update_desired_filters();
    }

    /// Ends all streams, because the daemon shuts down.
    pub fn close(&self) {
        for stream in self.state.streams.borrow().iter() {
            stream.end(StreamEnd::ShuttingDown);
        }
    }

    #[cfg(test)]
    pub(super) fn store(&self) -> &Store {
        &self.state.store
    }
}

/// Reads the durable subscriptions of earlier runs of the daemon.
async fn load_durable(state: Rc<InboxState>) {
    loop {
        let load = state.store.run(Durability::ReadOnly, |database| {
            Ok(database.durable.all().cloned().collect::<Vec<_>>())
        });
        let Ok(mut durable) = load.await else {
            sleep(RETRY_INTERVAL).await;
            continue;
        };
        sessions::mark_left(&mut durable, state.clock.wall());
        state.durable.replace(durable);
        state.sessions_changed.notify_one();
        state.durable_loaded.send_replace(true);
        permissions::update_suspended(&state);
        if state.session_is_new.get() {
            state.restart_durable();
        }
        state.unstored.resolve_names(|message| state.durable_matching(message));
        return state.update_desired_filters();
    }
}
