//! One program's stream of lines: what the inbox puts in and the program takes out.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

use super::message::Received;
use crate::problem::Problem;
use crate::qos::Qos;

/// Lines that wait for a program: a program that is so far behind is cut.
const MAX_LINES: usize = 1024;
/// The same in bytes, of messages at quality of service 0; a single line may have more. Those at quality of service 1 are
/// bounded by what AWS sends before we acknowledge: 100 messages, which all streams share.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// A program that takes nothing of what there is for so long is cut, and one that is so far behind while AWS sends nothing to
/// anybody before something is acknowledged: what it holds, nobody else gets more of.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for a program that has taken nothing at all while AWS sends nothing to anybody.
const PATIENCE_OF_OTHERS: Duration = Duration::from_secs(2);
/// Between two looks at that.
const LOOK: Duration = Duration::from_secs(1);

/// What the session hands over.
#[derive(Debug)]
pub enum SessionEvent {
    /// A message.
    Message(Received, AckGuard),
    /// AWS has a new session, which has no subscription yet.
    NewSession,
    /// AWS has accepted the subscription to a filter.
    Subscribed(String),
    /// AWS has refused it, and why.
    Refused(String, Problem),
}

/// That a message is taken: when the last copy of this is dropped, the session acknowledges the message.
#[derive(Clone, Debug)]
pub struct AckGuard {
    last: Option<Arc<Acknowledge>>,
}

#[derive(Debug)]
struct Acknowledge {
    packet_id: u16,
    back: mpsc::UnboundedSender<u16>,
    crowded: Arc<AtomicBool>,
}

impl AckGuard {
    /// For a message that `back` acknowledges by `packet_id`, on a connection that is `crowded` when AWS sends no more before
    /// something is acknowledged.
    pub fn new(packet_id: u16, back: mpsc::UnboundedSender<u16>, crowded: Arc<AtomicBool>) -> Self {
        Self {
            last: Some(Arc::new(Acknowledge {
                packet_id,
                back,
                crowded,
            })),
        }
    }

    /// Whether AWS waits for an acknowledgement, and sends no more than it allows without.
    pub(super) fn is_awaited(&self) -> bool {
        self.last.is_some()
    }

    /// Whether the connection that the message came on is gone: AWS sends it again.
    pub fn is_in_vain(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.back.is_closed())
    }

    /// Whether AWS sends nothing to anybody before this or another message is acknowledged.
    pub(super) fn is_in_the_way(&self) -> bool {
        self.last
            .as_ref()
            .is_some_and(|last| last.crowded.load(Ordering::Relaxed))
    }

    /// For a message that nobody needs to acknowledge.
    pub fn nothing() -> Self {
        Self { last: None }
    }
}

impl Drop for Acknowledge {
    fn drop(&mut self) {
        // The connection that the message came on may be gone; AWS then sends it again.
        let _ = self.back.send(self.packet_id);
    }
}

/// Whether the rules give a program this topic, or this filter, now.
type May = Box<dyn Fn(&str) -> bool>;

/// The inbox's end of a stream.
pub(super) struct Stream {
    pub(super) filter: String,
    pub(super) qos: Qos,
    /// Who reads it, for the limits.
    pub(super) reader: String,
    /// The durable subscription whose messages it carries.
    pub(super) kept: Option<String>,
    pub(super) joined: u64,
    /// When AWS had accepted the subscription, by the boottime clock.
    pub(super) confirmed: Cell<Option<Duration>>,
    lines: RefCell<VecDeque<Line>>,
    bytes: Cell<usize>,
    last_words: RefCell<Option<Bytes>>,
    ended: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// Rings when a line has come or was taken, and at the end.
    moved: Notify,
    /// When the program has taken a line.
    last_taken: Cell<Option<Instant>>,
    may: RefCell<Option<May>>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("filter", &self.filter)
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}

/// A line that waits.
#[derive(Debug)]
struct Line {
    text: Bytes,
    taken: AckGuard,
    since: Instant,
}

impl Stream {
    pub(super) fn new(filter: &str, qos: Qos, reader: &str, kept: Option<&str>, joined: u64) -> Self {
        Self {
            filter: filter.to_owned(),
            qos,
            reader: reader.to_owned(),
            kept: kept.map(str::to_owned),
            joined,
            confirmed: Cell::new(None),
            lines: RefCell::default(),
            bytes: Cell::new(0),
            last_words: RefCell::default(),
            ended: Cell::new(false),
            waker: RefCell::default(),
            moved: Notify::new(),
            last_taken: Cell::new(None),
            may: RefCell::default(),
        }
    }

    /// Puts a line in, or cuts the stream if its program is too far behind. False when it was cut.
    pub(super) fn push(&self, line: Bytes, taken: AckGuard) -> bool {
        if self.ended.get() {
            return true;
        }
        let (lines, bytes) = (self.lines.borrow().len(), self.bytes.get());
        let counted = if taken.is_awaited() { 0 } else { line.len() };
        if lines >= MAX_LINES || (lines > 0 && bytes + counted > MAX_BYTES) {
            self.too_slow();
            return false;
        }
        self.bytes.set(bytes + counted);
        self.lines.borrow_mut().push_back(Line {
            text: line,
            taken,
            since: Instant::now(),
        });
        self.moved.notify_one();
        self.wake();
        true
    }

    fn too_slow(&self) {
        let lines = self.lines.borrow().len();
        self.end(
            "too_slow",
            &format!("the program did not read fast enough: {lines} messages were waiting for it"),
            Some("read faster, or subscribe with ?name=NAME, which keeps messages on the disk"),
        );
    }

    /// Waits until the stream has ended, and ends it if its program is too slow for the others. True if it was that.
    pub(super) async fn watch(&self) -> bool {
        while !self.ended.get() {
            let oldest = self
                .lines
                .borrow()
                .front()
                .map(|line| (line.since, line.taken.is_in_the_way()));
            let Some((since, is_in_the_way)) = oldest else {
                self.moved.notified().await;
                continue;
            };
            let idle_since = self.last_taken.get().map_or(since, |taken| taken.max(since));
            let patience = if is_in_the_way { PATIENCE_OF_OTHERS } else { PATIENCE };
            if idle_since.elapsed() >= patience || is_in_the_way && since.elapsed() >= PATIENCE {
                self.too_slow();
                return true;
            }
            let _ = timeout(LOOK, self.moved.notified()).await;
        }
        false
    }

    /// Ends the stream with a reason; what it still had is let go.
    pub(super) fn end(&self, code: &str, message: &str, hint: Option<&str>) {
        let mut line = serde_json::json!({ "code": code, "message": message, "hint": hint }).to_string();
        line.push('\n');
        self.lines.borrow_mut().clear();
        self.bytes.set(0);
        self.last_words.replace(Some(line.into()));
        self.close();
    }

    /// Ends the stream.
    fn close(&self) {
        self.ended.set(true);
        self.moved.notify_one();
        self.wake();
    }

    /// Whether its program may still have it.
    pub(super) fn is_allowed(&self) -> bool {
        self.gives(&self.filter)
    }

    /// Whether its program may have messages on this topic.
    pub(super) fn gives(&self, topic: &str) -> bool {
        self.may.borrow().as_ref().is_none_or(|may| may(topic))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Waits until everything was taken; returns at once where the stream has ended.
    pub(super) async fn drained(&self) {
        while !self.ended.get() && !self.lines.borrow().is_empty() {
            self.moved.notified().await;
        }
    }

    /// Waits until the stream has ended.
    pub(super) async fn ended(&self) {
        while !self.ended.get() {
            self.moved.notified().await;
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// The program's end of a stream; dropped when the program leaves.
#[derive(Debug)]
pub struct Subscription {
    pub(super) stream: Rc<Stream>,
    pub(super) on_leave: super::inbox::Leave,
    /// The line that was handed over last: it counts as taken once the next one is asked for.
    under_way: Option<AckGuard>,
}

impl Subscription {
    pub(super) fn new(stream: Rc<Stream>, on_leave: super::inbox::Leave) -> Self {
        Self {
            stream,
            on_leave,
            under_way: None,
        }
    }

    /// The stream is the program's for as long as `may` says so of its filter, and of what was kept on the disk it is given what `may`
    /// says so of.
    #[must_use]
    pub fn only_while(self, may: impl Fn(&str) -> bool + 'static) -> Self {
        self.stream.may.replace(Some(Box::new(may)));
        self
    }

    /// The next line; `None` at the end.
    pub fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.under_way = None;
        let next = self.stream.lines.borrow_mut().pop_front();
        if let Some(Line { text, taken, .. }) = next {
            if !taken.is_awaited() {
                let left = self.stream.bytes.get().saturating_sub(text.len());
                self.stream.bytes.set(left);
            }
            self.under_way = Some(taken);
            self.stream.last_taken.set(Some(Instant::now()));
            self.stream.moved.notify_one();
            return Poll::Ready(Some(text));
        }
        if self.stream.ended.get() {
            return Poll::Ready(self.stream.last_words.borrow_mut().take());
        }
        self.stream.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.lines.borrow_mut().clear();
        self.stream.close();
        self.on_leave.left(&self.stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that takes a line every three seconds, of those that come on a connection that is `crowded` or not: whether it
    /// was cut before it had taken twenty.
    async fn is_cut(crowded: bool) -> bool {
        let stream = Stream::new("t", Qos::AtLeastOnce, "uid 1", None, 1);
        let (back, _acknowledged) = mpsc::unbounded_channel();
        let crowded = Arc::new(AtomicBool::new(crowded));
        for packet_id in 0..40 {
            let taken = AckGuard::new(packet_id, back.clone(), crowded.clone());
            assert!(stream.push("line\n".into(), taken));
        }
        let reading = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(3)).await;
                drop(stream.lines.borrow_mut().pop_front());
                stream.last_taken.set(Some(Instant::now()));
            }
        };
        tokio::select! {
            cut = stream.watch() => cut,
            () = reading => false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn promise_6_a_slow_reader_is_cut_when_the_others_wait_for_it_and_only_then() {
        assert!(is_cut(true).await);
        assert!(!is_cut(false).await);
    }
}
