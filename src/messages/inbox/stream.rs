//! Stream of messages to a program: the inbox appends messages, and the program reads them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::ack::AckGuard;
use super::delivery::{Delivery, StreamEnd, StreamItem};
use super::durable::feed::Reader;
use crate::qos::Qos;

/// Messages that may wait for a program. A program that is further behind is cut off.
const MAX_MESSAGES: usize = 1024;
/// Bytes of QoS 0 messages that may wait; a single message may be larger. QoS 1 messages are bounded by what AWS sends before we
/// acknowledge: 100 messages in all streams.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// A program is cut off if it reads nothing for this long while messages wait. If AWS sends nothing to any program until a
/// message is acknowledged, it is also cut off if its oldest message has waited for this long.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// As above for a program that reads nothing at all while AWS sends nothing to any program.
const BLOCKING_READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two checks of these timeouts.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Whether the rules allow a topic or filter to a program now.
type PermissionCheck = Box<dyn Fn(&str) -> bool>;
/// Called when the program drops its end of the stream.
type OnDrop = Box<dyn Fn(&Rc<Stream>)>;

/// The inbox's end of a stream.
pub(in crate::messages) struct Stream {
    pub(super) filter: String,
    pub(super) qos: Qos,
    /// Name of the reader, for the limits.
    pub(super) reader: String,
    /// Name of the durable subscription whose messages the stream carries.
    pub(super) durable_name: Option<String>,
    /// Later streams have larger numbers.
    pub(super) sequence: u64,
    /// When AWS accepted the subscription, by the boottime clock.
    pub(super) confirmed: Cell<Option<Duration>>,
    waiting: RefCell<VecDeque<Waiting>>,
    bytes: Cell<usize>,
    /// Why the stream has ended, until the program has read it.
    end: RefCell<Option<StreamEnd>>,
    ended: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// Notified when a message was added or read, and at the end.
    changed: Notify,
    /// When the program last read a message.
    last_read: Cell<Option<Instant>>,
    permission_check: RefCell<Option<PermissionCheck>>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("filter", &self.filter)
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}

/// A message that waits.
#[derive(Debug)]
struct Waiting {
    delivery: Delivery,
    ack: AckGuard,
    since: Instant,
}

impl Stream {
    pub(super) fn new(filter: &str, qos: Qos, reader: &str, durable_name: Option<&str>, sequence: u64) -> Self {
        Self {
            filter: filter.to_owned(),
            qos,
            reader: reader.to_owned(),
            durable_name: durable_name.map(str::to_owned),
            sequence,
            confirmed: Cell::new(None),
            waiting: RefCell::default(),
            bytes: Cell::new(0),
            end: RefCell::default(),
            ended: Cell::new(false),
            waker: RefCell::default(),
            changed: Notify::new(),
            last_read: Cell::new(None),
            permission_check: RefCell::default(),
        }
    }

    /// Appends a message, or ends the stream if its program is too far behind. Returns false in that case.
    pub(super) fn push(&self, delivery: Delivery, ack: AckGuard) -> bool {
        if self.ended.get() {
            return true;
        }
        let (waiting, bytes) = (self.waiting.borrow().len(), self.bytes.get());
        let counted = if ack.is_required() { 0 } else { delivery.size() };
        if waiting >= MAX_MESSAGES || (waiting > 0 && bytes + counted > MAX_BYTES) {
            self.end_slow();
            return false;
        }
        self.bytes.set(bytes + counted);
        self.waiting.borrow_mut().push_back(Waiting {
            delivery,
            ack,
            since: Instant::now(),
        });
        self.changed.notify_one();
        self.wake();
        true
    }

    fn end_slow(&self) {
        let waiting = self.waiting.borrow().len();
        self.end(StreamEnd::TooSlow(waiting));
    }

    /// Waits until the stream has ended, and ends it if its program is too slow. Returns true in that case.
    pub(super) async fn watch_reader(&self) -> bool {
        while !self.ended.get() {
            let oldest = self
                .waiting
                .borrow()
                .front()
                .map(|oldest| (oldest.since, oldest.ack.blocks_others()));
            let Some((since, blocks_others)) = oldest else {
                self.changed.notified().await;
                continue;
            };
            let idle_since = self.last_read.get().map_or(since, |read| read.max(since));
            let limit = if blocks_others {
                BLOCKING_READ_TIMEOUT
            } else {
                READ_TIMEOUT
            };
            if idle_since.elapsed() >= limit || blocks_others && since.elapsed() >= READ_TIMEOUT {
                self.end_slow();
                return true;
            }
            let _ = timeout(CHECK_INTERVAL, self.changed.notified()).await;
        }
        false
    }

    /// Ends the stream with a reason, and drops the messages that wait.
    pub(super) fn end(&self, why: StreamEnd) {
        self.waiting.borrow_mut().clear();
        self.bytes.set(0);
        self.end.replace(Some(why));
        self.close();
    }

    /// Ends the stream without a reason.
    fn close(&self) {
        self.ended.set(true);
        self.changed.notify_one();
        self.wake();
    }

    /// Returns whether the rules still allow the stream's filter to its program.
    pub(super) fn is_allowed(&self) -> bool {
        Reader::allows(self, &self.filter)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Reader for Stream {
    fn allows(&self, topic: &str) -> bool {
        self.permission_check.borrow().as_ref().is_none_or(|check| check(topic))
    }

    fn push_stored(&self, delivery: Delivery) {
        self.push(delivery, AckGuard::none());
    }

    async fn wait_for_room(&self) {
        while !self.ended.get() && !self.waiting.borrow().is_empty() {
            self.changed.notified().await;
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.get()
    }

    async fn wait_until_ended(&self) {
        while !self.ended.get() {
            self.changed.notified().await;
        }
    }

    fn end_feed(&self, why: StreamEnd) {
        self.end(why);
    }
}

/// The program's end of a stream.
pub struct Subscription {
    pub(super) stream: Rc<Stream>,
    on_drop: OnDrop,
    /// Guard of the message that was read last. The message counts as delivered once the program asks for the next one.
    in_delivery: Option<AckGuard>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    pub(super) fn new(stream: Rc<Stream>, on_drop: OnDrop) -> Self {
        Self {
            stream,
            on_drop,
            in_delivery: None,
        }
    }

    /// Restricts the stream to what `check` allows. The stream ends when the filter is not allowed any more; stored messages
    /// are delivered only if their topic is allowed.
    #[must_use]
    pub fn restrict(self, check: impl Fn(&str) -> bool + 'static) -> Self {
        self.stream.permission_check.replace(Some(Box::new(check)));
        self
    }

    /// Returns the next item; `None` after the last one.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        if let Some(ack) = self.in_delivery.take() {
            ack.mark_taken();
        }
        let next = self.stream.waiting.borrow_mut().pop_front();
        if let Some(Waiting { delivery, ack, .. }) = next {
            if !ack.is_required() {
                let left = self.stream.bytes.get().saturating_sub(delivery.size());
                self.stream.bytes.set(left);
            }
            self.in_delivery = Some(ack);
            self.stream.last_read.set(Some(Instant::now()));
            self.stream.changed.notify_one();
            return Poll::Ready(Some(StreamItem::Message(delivery)));
        }
        if self.stream.ended.get() {
            return Poll::Ready(self.stream.end.borrow_mut().take().map(StreamItem::End));
        }
        self.stream.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.waiting.borrow_mut().clear();
        self.stream.close();
        (self.on_drop)(&self.stream);
    }
}

#[cfg(test)]
mod tests;
