//! Queues QoS 0 messages from all MQTT connections for the session: sent within seconds, or dropped and counted. They never touch the disk.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

use super::counts::count;
use super::log::MqttLog;
use crate::messages::{Message, Outbox};
use crate::problem::Problem;

/// Maximum time that a message waits for the session, as over HTTP.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum number of bytes in the queue.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// Maximum number of queued messages of one account: a burst of a program that starts, within AWS's rate.
const MAX_OF_ACCOUNT: usize = 256;

/// Messages that wait for the session.
#[derive(Debug, Default)]
pub(super) struct Qos0Queue {
    waiting: RefCell<VecDeque<Waiting>>,
    bytes: Cell<usize>,
    added: Notify,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    account: Rc<str>,
    since: Instant,
}

impl Qos0Queue {
    /// Adds a message. Returns false if there is no room.
    pub(super) fn push(&self, message: Message, account: &Rc<str>) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let bytes = self.bytes.get() + size(&message);
        let of_account = || waiting.iter().filter(|other| other.account == *account).count();
        if bytes > MAX_BYTES || (waiting.len() >= MAX_OF_ACCOUNT && of_account() >= MAX_OF_ACCOUNT) {
            return false;
        }
        self.bytes.set(bytes);
        waiting.push_back(Waiting {
            message,
            account: account.clone(),
            since: Instant::now(),
        });
        self.added.notify_one();
        true
    }

    async fn pop(&self) -> Waiting {
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            if let Some(next) = next {
                self.bytes.set(self.bytes.get() - size(&next.message));
                return next;
            }
            self.added.notified().await;
        }
    }
}

fn size(message: &Message) -> usize {
    message.topic.len() + message.payload.len() + message.properties.size()
}

type Sent = oneshot::Receiver<Result<(), Problem>>;

/// Passes messages to the session until the daemon ends.
pub(super) async fn run(queue: Rc<Qos0Queue>, log: Rc<MqttLog>, outbox: Outbox) {
    // A message is not sent if its receiver has been dropped.
    let mut outcomes: VecDeque<Sent> = VecDeque::new();
    loop {
        let next = tokio::select! {
            next = queue.pop() => next,
            sent = first_outcome(&mut outcomes), if !outcomes.is_empty() => {
                record(&log, sent);
                continue;
            }
        };
        match timeout_at(next.since + SEND_TIMEOUT, outbox.start_qos0(next.message)).await {
            Ok(Ok(outcome)) => outcomes.push_back(outcome),
            Ok(Err(_)) | Err(_) => record(&log, false),
        }
    }
}

/// Waits for the outcome of the first message, and removes it. Cancel safe.
async fn first_outcome(outcomes: &mut VecDeque<Sent>) -> bool {
    let Some(first) = outcomes.front_mut() else {
        return std::future::pending().await;
    };
    let sent = matches!(first.await, Ok(Ok(())));
    outcomes.pop_front();
    sent
}

fn record(log: &MqttLog, sent: bool) {
    match sent {
        true => count(&log.counts.qos0_sent),
        false => log.drop_qos0("the session has not taken it in time, or AWS refuses it"),
    }
}
