//! Sessions of MQTT clients that outlive their connection. Each is a durable subscription with several filters.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{sleep, timeout};

use super::session_record::{SessionFilter, SessionRecord};
use super::subscribe::delete;
use super::subscription::{DurableSubscription, DurableSubscriptionError};
use super::{deliveries, table};
use crate::messages::context::milliseconds;
use crate::messages::database::Database;
use crate::messages::inbox::permissions::update_suspended;
use crate::messages::inbox::state::InboxState;
use crate::messages::inbox::subscriber::SubscribeError;
use crate::messages::owner::Owner;
use crate::messages::store::error::StoreError;
use crate::messages::thread::job::Durability;
use crate::problem::Problem;
use crate::qos::Qos;
use crate::user_accounts::UserAccounts;

/// Maximum time between two checks for expired sessions, in case the clock is set.
const EXPIRY_CHECK: Duration = Duration::from_secs(3600);

/// Maximum time that a connecting client waits for the database to be read.
const LOAD_TIMEOUT: Duration = Duration::from_secs(2);

/// A client that connects.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    /// Name of the durable subscription.
    pub name: String,
    /// Owner of the session.
    pub owner: Owner,
    /// The users that share an account.
    pub accounts: Arc<UserAccounts>,
    /// The client identifier.
    pub client_id: String,
    /// Whether an existing session must be discarded.
    pub clean_start: bool,
    /// Seconds for which the session is kept after the connection. 0 makes no session on the disk.
    pub expiry: u32,
}

/// The session of a client that has connected.
#[derive(Clone, Debug, Default)]
pub struct OpenedSession {
    /// Whether it is on the disk.
    pub is_durable: bool,
    /// Whether it is an existing session.
    pub is_present: bool,
    /// Its subscriptions.
    pub filters: Vec<SessionFilter>,
    /// Number of the last message that is stored for it.
    pub last: i64,
}

/// Resumes or creates the session of a client.
pub(in crate::messages::inbox) async fn open(
    state: &Rc<InboxState>,
    request: SessionRequest,
) -> Result<OpenedSession, SubscribeError> {
    // A client may connect before the database is open.
    if timeout(LOAD_TIMEOUT, state.wait_until_durable_loaded()).await.is_err() {
        let problem = Problem::wait("the sessions cannot be read from the disk yet");
        return Err(SubscribeError::Unusable(problem));
    }
    let name = request.name.clone();
    let is_known = state.durable.borrow().iter().any(|known| known.name == name);
    if !is_known && request.expiry == 0 {
        return Ok(OpenedSession::default());
    }
    let work = move |database: &mut Database| resume_or_create(database, &request);
    let opened = state.store.run(Durability::SyncedInsert, work).await;
    let (subscription, is_present) = opened
        .map_err(|why| SubscribeError::Unusable(why.problem))?
        .map_err(SubscribeError::Durable)?;
    state.durable.borrow_mut().retain(|known| known.name != name);
    if !is_present {
        state.started.borrow_mut().remove(&name);
    }
    let opened = subscription.as_ref().map(|subscription| OpenedSession {
        is_durable: true,
        is_present,
        filters: subscription
            .session
            .as_ref()
            .map_or_else(Vec::new, |session| session.filters.clone()),
        last: subscription.last,
    });
    state.durable.borrow_mut().extend(subscription);
    update_suspended(state);
    state.update_desired_filters();
    state.sessions_changed.notify_one();
    Ok(opened.unwrap_or_default())
}

type Opened = Result<(Option<DurableSubscription>, bool), DurableSubscriptionError>;

fn resume_or_create(database: &mut Database, request: &SessionRequest) -> rusqlite::Result<Opened> {
    let SessionRequest { name, owner, .. } = request;
    let now = database.context.now_ms();
    if let Some(known) = database.durable.pending(name).cloned() {
        if !known.may_be_used_by(owner) {
            return Ok(Err(DurableSubscriptionError::Owned));
        }
        let session = known.session.clone().unwrap_or_default();
        if !request.clean_start && !session.has_expired(now) {
            let resumed = DurableSubscription {
                owner: owner.clone(),
                session: Some(SessionRecord {
                    expiry: request.expiry,
                    left: None,
                    ..session
                }),
                ..known
            };
            table::update(database, resumed.clone())?;
            return Ok(Ok((Some(resumed), true)));
        }
        table::delete(database, name)?;
    }
    if request.expiry == 0 {
        return Ok(Ok((None, false)));
    }
    if let Some(error) = table::check_limits(database, owner, &request.accounts) {
        return Ok(Err(error));
    }
    let session = SessionRecord {
        client_id: request.client_id.clone(),
        expiry: request.expiry,
        ..SessionRecord::default()
    };
    let created = table::insert(database, name, owner, "", Qos::AtLeastOnce, Some(session))?;
    Ok(Ok((Some(created), false)))
}

/// Changes the session in memory.
fn change(state: &InboxState, name: &str, change: impl FnOnce(&mut SessionRecord)) {
    let mut durable = state.durable.borrow_mut();
    let known = durable.iter_mut().find(|known| known.name == name);
    if let Some(session) = known.and_then(|known| known.session.as_mut()) {
        change(session);
    }
}

/// Adds a subscription to the session in memory, so that messages are stored for it at once.
pub(in crate::messages::inbox) fn set_filter(state: &InboxState, name: &str, filter: SessionFilter) {
    change(state, name, |session| session.set_filter(filter));
}

/// Removes a subscription from the session in memory.
pub(in crate::messages::inbox) fn remove_filter(state: &InboxState, name: &str, filter: &str) {
    change(state, name, |session| {
        session.filters.retain(|known| known.filter != filter)
    });
}

/// Stores the session as it is in memory.
pub(in crate::messages::inbox) async fn store(state: &InboxState, name: &str) -> Result<(), StoreError> {
    let session = {
        let durable = state.durable.borrow();
        let known = durable.iter().find(|known| known.name == name);
        known.and_then(|known| known.session.clone())
    };
    let (name, Some(session)) = (name.to_owned(), session) else {
        return Ok(());
    };
    let store = move |database: &mut Database| {
        let Some(known) = database.durable.pending(&name).cloned() else {
            return Ok(());
        };
        let session = Some(session);
        table::update(database, DurableSubscription { session, ..known })
    };
    state.store.run(Durability::Synced, store).await
}

/// Records that the client has gone. An expiry of 0 seconds ends the session.
pub(in crate::messages::inbox) async fn leave(state: &InboxState, name: &str, expiry: u32) {
    if expiry == 0 {
        // If the database cannot be used, the session ends when it is read again: it has expired.
        let _ = delete(state, name).await;
        return;
    }
    let now = milliseconds(state.clock.wall());
    change(state, name, |session| {
        session.left = Some(now);
        session.expiry = expiry;
    });
    state.sessions_changed.notify_one();
    let _ = store(state, name).await;
}

/// Deletes messages that the client has acknowledged.
pub(in crate::messages::inbox) async fn acknowledge(state: &InboxState, name: &str, ids: Vec<i64>) {
    let name = name.to_owned();
    let remove = move |database: &mut Database| deliveries::remove(database, &name, &ids);
    // A power cut may undo this: the messages are then sent again.
    let _ = state.store.start(Durability::Unsynced, remove).await;
}

/// Ends the sessions whose clients have been away for too long, for as long as the daemon runs.
pub(in crate::messages::inbox) async fn expire(state: Rc<InboxState>) {
    loop {
        let now = milliseconds(state.clock.wall());
        let (expired, next) = {
            let durable = state.durable.borrow();
            let sessions = || {
                durable
                    .iter()
                    .filter_map(|known| Some((&known.name, known.session.as_ref()?)))
            };
            let expired = sessions().filter(|(_, session)| session.has_expired(now));
            let expired: Vec<String> = expired.map(|(name, _)| name.clone()).collect();
            (
                expired,
                sessions().filter_map(|(_, session)| time_left(session, now)).min(),
            )
        };
        for name in &expired {
            if delete(&state, name).await.is_err() {
                sleep(EXPIRY_CHECK).await;
            }
        }
        let changed = state.sessions_changed.notified();
        match next.filter(|_| expired.is_empty()) {
            Some(left) => drop(timeout(left.min(EXPIRY_CHECK), changed).await),
            None if expired.is_empty() => changed.await,
            None => {}
        }
    }
}

fn time_left(session: &SessionRecord, now: i64) -> Option<Duration> {
    let left = session.left.filter(|_| session.expiry != u32::MAX)?;
    let end = left.saturating_add(i64::from(session.expiry).saturating_mul(1000));
    let left = u64::try_from(end.saturating_sub(now)).ok().filter(|left| *left > 0)?;
    // A millisecond more, so that it has expired by then.
    Some(Duration::from_millis(left + 1))
}

/// Marks the sessions that an earlier run has left as left now: when that was is unknown.
pub(in crate::messages::inbox) fn mark_left(durable: &mut [DurableSubscription], now: SystemTime) {
    for session in durable.iter_mut().filter_map(|known| known.session.as_mut()) {
        session.left = session.left.or(Some(milliseconds(now)));
    }
}
