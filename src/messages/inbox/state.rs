//! State of the inbox: open streams, durable subscriptions, and the filters that AWS is asked for.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use log::Level;
use tokio::sync::{Notify, watch};

use super::client_queue::ClientQueue;
use super::durable::subscription::DurableSubscription;
use super::filters::{DesiredFilters, Interest, RETAINED_TIME, minimal_cover};
use super::reader_bans::ReaderBans;
use super::stream::Stream;
use super::subscriber::Subscriber;
use super::unstored::Unstored;
use crate::clock::SharedClock;
use crate::event::{Event, journal};
use crate::messages::message::Received;
use crate::messages::owner::Owner;
use crate::messages::thread::Store;
use crate::qos::Qos;
use crate::topic;

/// Whether the current rules allow a filter to an owner.
pub(super) type PermissionCheck = dyn Fn(&Owner, &str) -> bool;

/// State of the inbox.
pub(super) struct InboxState {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) desired: watch::Sender<DesiredFilters>,
    pub(super) durable_changed: watch::Receiver<()>,
    pub(super) streams: RefCell<Vec<Rc<Stream>>>,
    /// Queues of MQTT clients.
    pub(super) clients: RefCell<Vec<Rc<ClientQueue>>>,
    /// Durable subscriptions, as far as they are known.
    pub(super) durable: RefCell<Vec<DurableSubscription>>,
    /// Whether the durable subscriptions of earlier starts were read from the database.
    pub(super) durable_loaded: watch::Sender<bool>,
    /// Readers that were cut off and may not open a new stream yet.
    pub(super) bans: RefCell<ReaderBans>,
    pub(super) permission_check: RefCell<Option<Box<PermissionCheck>>>,
    /// Durable subscriptions that no rule allows any more, by name and filter.
    pub(super) suspended: RefCell<BTreeSet<(String, String)>>,
    /// Messages that the disk has not accepted yet.
    pub(super) unstored: Unstored,
    /// Durable subscriptions that started since the last start of the daemon or of AWS's session.
    pub(super) started: RefCell<BTreeMap<String, StartedSubscription>>,
    /// Whether AWS has started a new session since the start of the daemon.
    pub(super) session_is_new: Cell<bool>,
    /// Filters that AWS has granted since the start of the daemon or of its session.
    pub(super) granted: RefCell<BTreeSet<String>>,
    /// Filters that AWS has refused.
    pub(super) refused: RefCell<BTreeSet<String>>,
    pub(super) opened_streams: Cell<u64>,
    /// Notified when a session of an MQTT client begins or ends.
    pub(super) sessions_changed: Notify,
}

/// A durable subscription that has just started and still receives retained messages.
#[derive(Debug, Default)]
pub(super) struct StartedSubscription {
    /// When AWS accepted it, by the boottime clock.
    pub(super) confirmed: Option<Duration>,
    /// Topics whose retained messages it has received.
    retained: BTreeSet<String>,
}

impl std::fmt::Debug for InboxState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboxState").finish_non_exhaustive()
    }
}

impl InboxState {
    pub(super) fn new(
        store: Store,
        clock: SharedClock,
        desired: watch::Sender<DesiredFilters>,
        durable_changed: watch::Receiver<()>,
    ) -> Self {
        Self {
            store,
            clock,
            desired,
            durable_changed,
            streams: RefCell::default(),
            clients: RefCell::default(),
            durable: RefCell::default(),
            durable_loaded: watch::Sender::new(false),
            bans: RefCell::default(),
            permission_check: RefCell::default(),
            suspended: RefCell::default(),
            unstored: Unstored::default(),
            started: RefCell::default(),
            session_is_new: Cell::new(false),
            granted: RefCell::default(),
            refused: RefCell::default(),
            opened_streams: Cell::new(0),
            sessions_changed: Notify::new(),
        }
    }

    /// Returns whether the durable subscriptions of earlier starts are known.
    pub(super) fn is_durable_loaded(&self) -> bool {
        *self.durable_loaded.borrow()
    }

    /// Waits until they are known.
    pub(super) async fn wait_until_durable_loaded(&self) {
        // The sender is in `self`, so that it outlives the wait.
        let _ = self.durable_loaded.subscribe().wait_for(|is_loaded| *is_loaded).await;
    }

    /// Removes a stream.
    pub(super) fn remove_stream(&self, stream: &Rc<Stream>) {
        self.streams.borrow_mut().retain(|known| !Rc::ptr_eq(known, stream));
        self.update_desired_filters();
    }

    /// Removes the streams that have ended.
    pub(super) fn remove_ended_streams(&self) {
        self.streams.borrow_mut().retain(|stream| !stream.has_ended());
    }

    /// Removes a stream that was ended because its program did not read, and bans the reader for a while.
    pub(super) fn cut_off(&self, stream: &Rc<Stream>) {
        self.bans.borrow_mut().add(&stream.reader, self.clock.boot());
        journal!(
            Level::Warn, Event::ReaderCut, TOPIC = stream.filter.as_str();
            "inbox: {} was cut off from {}, because it did not read", stream.reader, stream.filter
        );
        self.remove_stream(stream);
    }

    /// Returns the names of the durable subscriptions that must store a message that has just arrived.
    pub(super) fn durable_matching(&self, message: &Received) -> Vec<String> {
        let (durable, suspended, now) = (self.durable.borrow(), self.suspended.borrow(), self.clock.boot());
        let stores = |subscription: &&DurableSubscription| {
            active_filters(subscription, &suspended).any(|(filter, qos)| {
                // A session gets messages at QoS 0 while it is connected, and never from the disk.
                let is_stored = subscription.session.is_none() || qos.min(message.qos) > Qos::AtMostOnce;
                is_stored && topic::matches(filter, &message.topic)
            }) && (!message.retained || self.is_new_retained(&subscription.name, &message.topic, now))
        };
        let matching = durable.iter().filter(stores);
        matching.map(|subscription| subscription.name.clone()).collect()
    }

    /// Returns whether any program subscribes to this topic.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        let (streams, durable, suspended) = (self.streams.borrow(), self.durable.borrow(), self.suspended.borrow());
        let is_streamed = |stream: &Rc<Stream>| !stream.has_ended() && topic::matches(&stream.filter, topic);
        let clients = self.clients.borrow();
        clients.iter().any(|client| client.is_subscribed(topic))
            || streams.iter().any(is_streamed)
            || durable.iter().any(|subscription| {
                active_filters(subscription, &suspended).any(|(filter, _)| topic::matches(filter, topic))
            })
    }

    /// Returns whether a retained message is new to the durable subscription: it has just started, and this is the first message of the
    /// topic. AWS sends retained messages again whenever another program subscribes to the filter.
    fn is_new_retained(&self, name: &str, topic: &str, now: Duration) -> bool {
        self.started.borrow_mut().get_mut(name).is_some_and(|started| {
            started
                .confirmed
                .is_none_or(|then| now.saturating_sub(then) < RETAINED_TIME)
                && started.retained.insert(topic.to_owned())
        })
    }

    /// Makes all durable subscriptions receive retained messages again.
    pub(super) fn restart_durable(&self) {
        let durable = self.durable.borrow();
        let started = durable
            .iter()
            .map(|subscription| (subscription.name.clone(), StartedSubscription::default()));
        self.started.borrow_mut().extend(started);
    }

    /// Tells the session which filters are wanted now.
    pub(super) fn update_desired_filters(&self) {
        self.publish_desired_filters(self.minimal_filters(None));
    }

    pub(super) fn publish_desired_filters(&self, desired: DesiredFilters) {
        self.desired.send_if_modified(|known| {
            let is_new = *known != desired;
            if is_new {
                *known = desired;
            }
            is_new
        });
    }

    /// Returns the smallest set of filters for all streams and durable subscriptions. With `replacement`, the subscriber takes the place of
    /// the durable subscription of that name.
    pub(super) fn minimal_filters(&self, replacement: Option<(&str, &Subscriber)>) -> DesiredFilters {
        let stays = |name: Option<&str>| name.is_none() || name != replacement.map(|(name, _)| name);
        let (streams, durable, refused) = (self.streams.borrow(), self.durable.borrow(), self.refused.borrow());
        let of_streams = streams.iter().filter(|stream| stays(stream.durable_name.as_deref()));
        let of_streams = of_streams.map(|stream| {
            let is_durable = stream.durable_name.is_some();
            Interest {
                filter: &stream.filter,
                qos: stream.qos,
                needs_retained: !is_durable && stream.confirmed.get().is_none(),
                newest_live_stream: if is_durable { 0 } else { stream.sequence },
                newest_stream: stream.sequence,
                refused: refused.contains(&stream.filter),
            }
        });
        let suspended = self.suspended.borrow();
        let of_durable = durable
            .iter()
            .filter(|subscription| stays(Some(&subscription.name)))
            .flat_map(|subscription| active_filters(subscription, &suspended));
        let of_durable = of_durable.map(|(filter, qos)| Interest {
            filter,
            qos,
            needs_retained: false,
            newest_live_stream: 0,
            newest_stream: 0,
            refused: refused.contains(filter),
        });
        let of_replacement = replacement.map(|(_, subscriber)| Interest {
            filter: &subscriber.filter,
            qos: subscriber.qos,
            needs_retained: false,
            newest_live_stream: 0,
            newest_stream: 0,
            refused: false,
        });
        let clients = self.clients.borrow();
        let clients: Vec<_> = clients.iter().map(|client| client.filters.borrow()).collect();
        let of_clients = clients
            .iter()
            .flat_map(|filters| filters.iter())
            .map(|(filter, known)| Interest {
                filter,
                qos: known.qos,
                needs_retained: known.wants_retained && known.confirmed.is_none(),
                newest_live_stream: known.sequence,
                newest_stream: known.sequence,
                refused: refused.contains(filter),
            });
        minimal_cover(of_streams.chain(of_durable).chain(of_replacement).chain(of_clients))
    }
}

/// Returns the filters of a durable subscription that a rule allows.
fn active_filters<'a>(
    subscription: &'a DurableSubscription,
    suspended: &'a BTreeSet<(String, String)>,
) -> impl Iterator<Item = (&'a str, Qos)> {
    let is_suspended = |filter: &str| {
        let mut suspended = suspended.iter();
        suspended.any(|(name, other)| *name == subscription.name && other == filter)
    };
    subscription.filters().filter(move |(filter, _)| !is_suspended(filter))
}
