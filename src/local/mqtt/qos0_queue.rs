//! Queues QoS 0 messages from all MQTT connections for the session: sent within seconds, or dropped and counted. They never touch the disk.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
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
    /// The number of waiting messages of each account that has some. A program may push thousands a second onto a full queue.
    of_account: RefCell<HashMap<Rc<str>, usize>>,
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
        let bytes = self.bytes.get() + size(&message);
        let mut of_account = self.of_account.borrow_mut();
        let known = of_account.get(account).copied().unwrap_or(0);
        if bytes > MAX_BYTES || known >= MAX_OF_ACCOUNT {
            return false;
        }
        of_account.insert(account.clone(), known + 1);
        self.bytes.set(bytes);
        self.waiting.borrow_mut().push_back(Waiting {
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
                self.uncount(&next.account);
                return next;
            }
            self.added.notified().await;
        }
    }

    fn uncount(&self, account: &Rc<str>) {
        let mut of_account = self.of_account.borrow_mut();
        match of_account.get_mut(account) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(of_account.remove(account)),
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::messages::{Bounds, Properties, prepare};
    use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

    fn message(bytes: usize) -> Message {
        Message {
            topic: "t".into(),
            payload: Bytes::from(vec![0; bytes]),
            retain: false,
            properties: Properties::default(),
        }
    }

    #[tokio::test]
    async fn an_account_fills_its_own_part_and_gets_it_back() {
        let queue = Qos0Queue::default();
        let [one, other]: [Rc<str>; 2] = ["uid 1".into(), "uid 2".into()];
        for number in 0..MAX_OF_ACCOUNT {
            assert!(queue.push(message(1), &one), "{number}");
        }
        assert!(!queue.push(message(1), &one), "the account has its part");
        assert!(queue.push(message(1), &other), "others are not affected");
        // Another handle of the same account is the same account.
        assert!(!queue.push(message(1), &"uid 1".into()));
        assert_eq!(&*queue.pop().await.account, "uid 1");
        assert!(queue.push(message(1), &one));
        assert!(!queue.push(message(1), &one));
        for _ in 0..=MAX_OF_ACCOUNT {
            queue.pop().await;
        }
        assert_eq!((queue.bytes.get(), queue.of_account.borrow().len()), (0, 0));
        assert!(
            !queue.push(message(MAX_BYTES), &one),
            "the bytes of all accounts are limited"
        );
        assert!(queue.push(message(MAX_BYTES - 1), &one));
        assert!(!queue.push(message(1), &other));
    }

    /// Runs the queue against a session that responds to each message with the next of `answers`, and to no further ones. Returns how many
    /// were sent and dropped, after all that could wait has waited.
    async fn outcomes(answers: &[Result<(), &str>], messages: usize) -> (u64, u64) {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(0);
        let hub = StatusHub::new(clock.clone());
        let reporter = hub.reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
        let (handles, _) = prepare(folder.path(), Bounds::default(), clock, reporter);
        let mut session = handles.qos0_messages;
        let (queue, log) = (Rc::new(Qos0Queue::default()), Rc::new(MqttLog::default()));
        let local = LocalSet::new();
        let running = async {
            spawn_local(run(queue.clone(), log.clone(), handles.outbox.clone()));
            for _ in 0..messages {
                assert!(queue.push(message(1), &"user".into()));
            }
            for answer in answers {
                let next = session.recv().await.unwrap();
                let _ = next.sent.send(answer.map_err(Problem::wait));
            }
            tokio::time::sleep(SEND_TIMEOUT * 2).await;
            drop(session);
            for _ in 0..messages * 4 {
                yield_now().await;
            }
        };
        local.run_until(running).await;
        (log.counts.qos0_sent.get(), log.counts.qos0_dropped.get())
    }

    #[tokio::test(start_paused = true)]
    async fn each_message_is_sent_or_dropped_and_counted() {
        for (answers, messages, expected) in [
            (&[][..], 0, (0, 0)),
            (&[Ok(())][..], 1, (1, 0)),
            (&[Err("AWS refuses it")], 1, (0, 1)),
            (&[Ok(()), Err("AWS refuses it"), Ok(())], 3, (2, 1)),
            // The session takes no more, and then ends.
            (&[Ok(())], 3, (1, 2)),
            (&[], 200, (0, 200)),
        ] {
            assert_eq!(outcomes(answers, messages).await, expected, "{answers:?} of {messages}");
        }
    }
}
