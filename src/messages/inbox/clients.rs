//! Opens and closes the queues of MQTT clients, and adds and removes their filters.

use std::rc::Rc;

use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::client_items::{ClientFilter, FilterEvent};
use super::client_queue::{ClientInbox, ClientQueue};
use super::durable::feed::feed;
use super::durable::session_record::SessionFilter;
use super::durable::sessions;
use super::filters::MAX_FILTERS;
use super::open_stream::check_filter_share;
use super::state::{InboxState, StartedSubscription};
use super::subscriber::{SubscribeError, Subscriber};
use crate::topic;

/// A client that opens its queue.
pub struct Client {
    /// Account for the limits.
    pub reader: Rc<str>,
    /// The client in messages, and for bans.
    pub name: Rc<str>,
    /// The durable subscription that stores its messages at QoS 1.
    pub durable_name: Option<String>,
    /// Notified when there is something to take.
    pub signal: Rc<Notify>,
    /// Whether the rules allow a topic or filter to the client now.
    pub is_allowed: Box<dyn Fn(&str) -> bool>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Opens the queue of a client, which has no filters yet.
pub(super) fn open(state: &Rc<InboxState>, client: Client) -> ClientInbox {
    let Client {
        reader,
        name,
        durable_name,
        signal,
        is_allowed,
    } = client;
    let queue = Rc::new(ClientQueue::new(reader, name, durable_name.clone(), signal, is_allowed));
    if let Some(name) = durable_name {
        let changed = state.durable_changed.clone();
        spawn_local(feed(state.store.clone(), changed, queue.clone(), name));
    }
    state.clients.borrow_mut().push(queue.clone());
    let weak = Rc::downgrade(state);
    let on_drop = move |queue: &Rc<ClientQueue>| {
        if let Some(state) = weak.upgrade() {
            state.clients.borrow_mut().retain(|known| !Rc::ptr_eq(known, queue));
            state.update_desired_filters();
        }
    };
    ClientInbox {
        queue,
        on_drop: Box::new(on_drop),
    }
}

/// Adds a filter to a client, or changes its quality of service. An event follows once AWS has answered.
pub(super) fn add_filter(
    state: &InboxState,
    client: &ClientInbox,
    subscriber: &Subscriber,
    filter: &SessionFilter,
    wants_retained: bool,
) -> Result<(), SubscribeError> {
    let queue = &client.queue;
    if let Some(remaining) = state.bans.borrow().remaining(&queue.name, state.clock.boot()) {
        return Err(SubscribeError::Banned(remaining));
    }
    check_filter_share(state, subscriber, queue.durable_name.as_deref())?;
    let sequence = state.opened_streams.get() + 1;
    state.opened_streams.set(sequence);
    let known = ClientFilter {
        qos: subscriber.qos,
        sequence,
        confirmed: None,
        wants_retained,
    };
    let before = queue.filters.borrow_mut().insert(subscriber.filter.clone(), known);
    let wanted = state.minimal_filters(None);
    if wanted.len() > MAX_FILTERS && !state.desired.borrow().contains_key(&subscriber.filter) {
        let mut filters = queue.filters.borrow_mut();
        filters.remove(&subscriber.filter);
        filters.extend(before.map(|before| (subscriber.filter.clone(), before)));
        return Err(SubscribeError::TooManyFilters(MAX_FILTERS));
    }
    // The inbox stores messages of the filter from now on, and the caller stores the session.
    if let Some(name) = &queue.durable_name {
        sessions::set_filter(state, name, filter.clone());
        if wants_retained {
            let mut started = state.started.borrow_mut();
            started.insert(name.clone(), StartedSubscription::default());
        }
    }
    // AWS is not asked for a filter that another one covers, so no answer will come for it.
    let is_covered = !wanted.contains_key(&subscriber.filter);
    let granted = state.granted.borrow();
    if is_covered && granted.iter().any(|other| topic::covers(other, &subscriber.filter)) {
        queue.confirm(&subscriber.filter, state.clock.boot());
    }
    drop(granted);
    state.publish_desired_filters(wanted);
    Ok(())
}

/// Restores a filter of a session that is resumed. It has been requested from AWS before.
pub(super) fn restore_filter(state: &InboxState, client: &ClientInbox, filter: &SessionFilter) {
    if !(client.queue.permission_check)(&filter.filter) {
        // The filter is suspended; it becomes active once a rule allows it again and the client connects.
        return;
    }
    let restored = ClientFilter {
        qos: filter.qos(),
        sequence: 0,
        confirmed: Some(state.clock.boot()),
        wants_retained: false,
    };
    let mut filters = client.queue.filters.borrow_mut();
    filters.insert(filter.filter.clone(), restored);
}

/// Removes a filter of a client; returns whether it was there.
pub(super) fn remove_filter(state: &InboxState, client: &ClientInbox, filter: &str) -> bool {
    let existed = client.queue.filters.borrow_mut().remove(filter).is_some();
    if let Some(name) = &client.queue.durable_name {
        sessions::remove_filter(state, name, filter);
    }
    state.update_desired_filters();
    existed
}

/// Records that AWS has granted `filter`: for the clients that have it, and for those with a filter that it covers and that is therefore
/// not requested from AWS.
pub(super) fn confirm(state: &InboxState, filter: &str) {
    let (now, wanted) = (state.clock.boot(), state.minimal_filters(None));
    for client in state.clients.borrow().iter() {
        let filters = client.filters.borrow();
        let is_confirmed = |known: &&String| {
            *known == filter || (topic::covers(filter, known) && !wanted.contains_key(known.as_str()))
        };
        let confirmed: Vec<String> = filters.keys().filter(is_confirmed).cloned().collect();
        drop(filters);
        for filter in confirmed {
            client.confirm(&filter, now);
        }
    }
}

/// Tells the clients that AWS has refused their filter.
pub(super) fn refuse(state: &InboxState, filter: &str, why: &crate::problem::Problem) {
    for client in state.clients.borrow().iter() {
        if client.filters.borrow_mut().remove(filter).is_some() {
            if let Some(name) = &client.durable_name {
                sessions::remove_filter(state, name, filter);
            }
            client.tell(FilterEvent::Refused(filter.to_owned(), why.clone()));
        }
    }
}

/// Makes all clients receive retained messages again, because AWS has a new session.
pub(super) fn start_session(state: &InboxState) {
    for client in state.clients.borrow().iter() {
        for filter in client.filters.borrow_mut().values_mut() {
            filter.confirmed = None;
        }
    }
}

/// Tells the clients which of their filters no rule allows any more.
pub(super) fn recheck_permissions(state: &InboxState) {
    for client in state.clients.borrow().iter() {
        let mut filters = client.filters.borrow_mut();
        let lost: Vec<String> = filters
            .keys()
            .filter(|filter| !(client.permission_check)(filter))
            .cloned()
            .collect();
        for filter in lost {
            filters.remove(&filter);
            client.tell(FilterEvent::NotAllowed(filter));
        }
    }
}

#[cfg(test)]
mod tests;
