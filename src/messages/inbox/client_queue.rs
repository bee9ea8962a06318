//! Messages of the inbox on their way to one MQTT client of the local listener.
//!
//! A client has one queue for all its topic filters, because it gets one copy of a message, however many of its filters match.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::ack::AckGuard;
use super::client_items::{ClientFilter, FilterEvent, QueuedMessage};
use super::delivery::{Delivery, StreamEnd};
use super::durable::feed::Reader;
use crate::messages::message::Received;
use crate::qos::Qos;
use crate::topic;

/// Maximum number of QoS 0 messages that wait for a client; further ones are dropped. For QoS 1 the limit is what AWS sends before they are
/// acknowledged.
const MAX_QOS0_MESSAGES: usize = 1024;
/// Maximum number of bytes of these messages.
const MAX_QOS0_BYTES: usize = 2 * 1024 * 1024;

/// Maximum number of stored messages that wait for a client; the rest stays in the database.
const MAX_STORED: usize = 64;

/// Whether the rules allow a topic or filter to the client now.
pub(super) type PermissionCheck = Box<dyn Fn(&str) -> bool>;

/// Called when the client drops its end of the queue.
pub(super) type OnDrop = Box<dyn Fn(&Rc<ClientQueue>)>;

/// The inbox's end of a client's queue.
pub(in crate::messages) struct ClientQueue {
    /// Account for the limits.
    pub(super) reader: Rc<str>,
    /// The client in messages, and for bans.
    pub(super) name: Rc<str>,
    /// The durable subscription that stores its messages at QoS 1.
    pub(super) durable_name: Option<String>,
    pub(super) filters: RefCell<BTreeMap<String, ClientFilter>>,
    pub(super) permission_check: PermissionCheck,
    messages: RefCell<VecDeque<QueuedMessage>>,
    qos0_messages: Cell<usize>,
    qos0_bytes: Cell<usize>,
    stored_messages: Cell<usize>,
    events: RefCell<VecDeque<FilterEvent>>,
    dropped: Cell<u64>,
    ended: Cell<bool>,
    /// Notifies the client's connection.
    signal: Rc<Notify>,
    /// Notifies the feed of stored messages.
    taken: Notify,
}

impl std::fmt::Debug for ClientQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientQueue")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl ClientQueue {
    pub(super) fn new(
        reader: Rc<str>,
        name: Rc<str>,
        durable_name: Option<String>,
        signal: Rc<Notify>,
        permission_check: PermissionCheck,
    ) -> Self {
        Self {
            reader,
            name,
            durable_name,
            filters: RefCell::default(),
            permission_check,
            messages: RefCell::default(),
            qos0_messages: Cell::new(0),
            qos0_bytes: Cell::new(0),
            stored_messages: Cell::new(0),
            events: RefCell::default(),
            dropped: Cell::new(0),
            ended: Cell::new(false),
            signal,
            taken: Notify::new(),
        }
    }

    /// Queues a message from AWS if a filter matches it and nothing stores it for the client.
    pub(super) fn offer(&self, message: &Arc<Received>, ack: &AckGuard, now: Duration) {
        let filters = self.filters.borrow();
        let matching = filters
            .iter()
            .filter(|(filter, _)| topic::matches(filter, &message.topic));
        let wanted = matching.filter(|(_, filter)| !message.retained || filter.expects_retained(now));
        let Some(granted) = wanted.map(|(_, filter)| filter.qos).max() else {
            return;
        };
        let qos = granted.min(message.qos);
        if self.durable_name.is_some() && qos > Qos::AtMostOnce {
            return;
        }
        let ack = match self.durable_name {
            Some(_) => AckGuard::none(),
            None => ack.clone(),
        };
        self.push(QueuedMessage {
            message: message.clone(),
            ack,
            stored: None,
            since: Instant::now(),
        });
    }

    /// Returns whether a filter of the client matches the topic.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        self.filters.borrow().keys().any(|filter| topic::matches(filter, topic))
    }

    fn push(&self, queued: QueuedMessage) {
        if self.ended.get() {
            return;
        }
        if queued.is_unbounded() {
            let (messages, bytes) = (self.qos0_messages.get() + 1, self.qos0_bytes.get() + queued.size());
            if messages > MAX_QOS0_MESSAGES || (messages > 1 && bytes > MAX_QOS0_BYTES) {
                return self.dropped.set(self.dropped.get() + 1);
            }
            self.qos0_messages.set(messages);
            self.qos0_bytes.set(bytes);
        }
        self.stored_messages
            .set(self.stored_messages.get() + usize::from(queued.stored.is_some()));
        self.messages.borrow_mut().push_back(queued);
        self.signal.notify_one();
    }

    pub(super) fn tell(&self, event: FilterEvent) {
        self.events.borrow_mut().push_back(event);
        self.signal.notify_one();
    }

    /// Records that AWS has granted a filter, and tells the client that it is waiting for that.
    pub(super) fn confirm(&self, filter: &str, now: Duration) {
        if let Some(known) = self.filters.borrow_mut().get_mut(filter)
            && known.confirmed.is_none()
        {
            known.confirmed = Some(now);
            self.tell(FilterEvent::Granted(filter.to_owned()));
        }
    }

    /// Ends the queue; what waits in it is dropped.
    pub(super) fn close(&self) {
        self.ended.set(true);
        self.messages.borrow_mut().clear();
        self.filters.borrow_mut().clear();
        self.taken.notify_one();
    }

    fn pop(&self) -> Option<QueuedMessage> {
        let queued = self.messages.borrow_mut().pop_front()?;
        if queued.is_unbounded() {
            self.qos0_messages.set(self.qos0_messages.get() - 1);
            self.qos0_bytes.set(self.qos0_bytes.get() - queued.size());
        }
        if queued.stored.is_some() {
            self.stored_messages.set(self.stored_messages.get() - 1);
            self.taken.notify_one();
        }
        Some(queued)
    }
}

impl Reader for ClientQueue {
    fn allows(&self, topic: &str) -> bool {
        (self.permission_check)(topic)
    }

    fn push_stored(&self, delivery: Delivery) {
        self.push(QueuedMessage {
            message: delivery.message,
            ack: AckGuard::none(),
            stored: delivery.id.map(|id| (id, delivery.received)),
            since: Instant::now(),
        });
    }

    async fn wait_for_room(&self) {
        while !self.ended.get() && self.stored_messages.get() >= MAX_STORED {
            self.taken.notified().await;
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.get()
    }

    async fn wait_until_ended(&self) {
        while !self.ended.get() {
            self.taken.notified().await;
        }
    }

    fn end_feed(&self, why: StreamEnd) {
        self.tell(match why {
            StreamEnd::Unusable(problem) => FilterEvent::Unusable(problem),
            _ => FilterEvent::Deleted,
        });
    }
}

/// The client's end of its queue. Dropping it ends the queue.
pub struct ClientInbox {
    pub(super) queue: Rc<ClientQueue>,
    pub(super) on_drop: OnDrop,
}

impl std::fmt::Debug for ClientInbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientInbox")
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl ClientInbox {
    /// Takes the next message.
    pub fn next_message(&self) -> Option<QueuedMessage> {
        self.queue.pop()
    }

    /// Puts a message back that could not be sent yet.
    pub fn put_back(&self, queued: QueuedMessage) {
        if queued.is_unbounded() {
            self.queue.qos0_messages.set(self.queue.qos0_messages.get() + 1);
            self.queue.qos0_bytes.set(self.queue.qos0_bytes.get() + queued.size());
        }
        self.queue
            .stored_messages
            .set(self.queue.stored_messages.get() + usize::from(queued.stored.is_some()));
        self.queue.messages.borrow_mut().push_front(queued);
    }

    /// Takes the next event about a filter.
    pub fn next_event(&self) -> Option<FilterEvent> {
        self.queue.events.borrow_mut().pop_front()
    }

    /// Returns the oldest waiting message: when it was queued, and whether AWS sends nothing to any program until it is acknowledged.
    pub fn oldest(&self) -> Option<(Instant, bool)> {
        let messages = self.queue.messages.borrow();
        let oldest = messages.front()?;
        Some((oldest.since, oldest.ack.blocks_others()))
    }

    /// Returns the number of QoS 0 messages that were dropped because the client did not read.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped.get()
    }

    /// Returns the name of the client's durable subscription, if its session is stored.
    pub fn durable_name(&self) -> Option<&str> {
        self.queue.durable_name.as_deref()
    }
}

impl Drop for ClientInbox {
    fn drop(&mut self) {
        self.queue.close();
        (self.on_drop)(&self.queue);
    }
}
