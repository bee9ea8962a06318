//! Queues QoS 1 messages from all MQTT connections for the outbox.
//!
//! One task collects what the connections have received and passes it to the store in batches, in the order of arrival, without waiting for
//! the disk: the store commits together whatever has arrived during an fdatasync. Meanwhile a connection continues to read, up to its
//! Receive Maximum.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_local;

use super::counts::{MqttCounts, count};
use super::log::MqttLog;
use super::mailbox::Mailbox;
use crate::messages::{Account, Message, Outbox, Sequence, StoreError, SubmitError};
use crate::problem::Problem;

/// Maximum number of messages in a batch. One job of the store must not delay other jobs.
const MAX_BATCH: usize = 128;
/// Maximum number of bytes in a batch, unless it is a single message.
const MAX_BATCH_BYTES: usize = 64 * 1024;

/// A message on its way to the outbox.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) message: Message,
    pub(super) account: Account,
    /// The connection's messages, if they are accepted in their order or not at all.
    pub(super) sequence: Option<Sequence>,
    /// The connection that waits for the outcome, and the packet identifier. A will has neither.
    pub(super) answer_to: Option<(Rc<Mailbox>, u16)>,
}

/// The queue. The Receive Maximum of each connection bounds it.
#[derive(Debug)]
pub(super) struct PublishQueue {
    sender: UnboundedSender<Submission>,
    receiver: RefCell<Option<UnboundedReceiver<Submission>>>,
}

impl PublishQueue {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            sender,
            receiver: RefCell::new(Some(receiver)),
        }
    }

    /// Adds a message. The outcome is reported to the mailbox.
    pub(super) fn push(&self, submission: Submission) {
        if let Err(unsent) = self.sender.send(submission) {
            let error = SubmitError::Unusable(Problem::wait("gatepost is ending"));
            report(unsent.0.answer_to, Err(error));
        }
    }

    pub(super) fn take_receiver(&self) -> Option<UnboundedReceiver<Submission>> {
        self.receiver.borrow_mut().take()
    }
}

/// Passes messages to the outbox until the daemon ends.
pub(super) async fn run(mut receiver: UnboundedReceiver<Submission>, log: Rc<MqttLog>, outbox: Outbox) {
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, MAX_BATCH).await > 0 {
        let mut rest = std::mem::take(&mut waiting).into_iter().peekable();
        while rest.peek().is_some() {
            let (mut batch, mut answers, mut bytes) = (Vec::new(), Vec::new(), 0);
            while let Some(next) = rest.next_if(|next| bytes == 0 || bytes + size(&next.message) <= MAX_BATCH_BYTES) {
                bytes += size(&next.message);
                answers.push(next.answer_to);
                batch.push((next.message, next.account, next.sequence));
            }
            // This waits for its turn, which keeps the order; the outcome is awaited separately.
            match outbox.start_batch(batch).await {
                Ok(outcome) => {
                    let log = log.clone();
                    spawn_local(async move { report_batch(answers, outcome.await, &log.counts) });
                }
                Err(error) => report_failure(answers, &error),
            }
        }
    }
}

type Outcome = Result<Vec<Result<i64, SubmitError>>, StoreError>;

fn report_batch(
    answers: Vec<Option<(Rc<Mailbox>, u16)>>,
    outcome: Result<Outcome, tokio::sync::oneshot::error::RecvError>,
    counts: &MqttCounts,
) {
    let ended = |_| Err(StoreError::from(Problem::wait("gatepost is ending")));
    match outcome.unwrap_or_else(ended) {
        Ok(outcomes) => {
            for (answer_to, outcome) in answers.into_iter().zip(outcomes) {
                if outcome.is_ok() {
                    count(&counts.stored);
                }
                report(answer_to, outcome.map(drop));
            }
        }
        Err(error) => report_failure(answers, &error),
    }
}

fn report_failure(answers: Vec<Option<(Rc<Mailbox>, u16)>>, error: &StoreError) {
    for answer_to in answers {
        report(answer_to, Err(error.clone().into()));
    }
}

fn report(answer_to: Option<(Rc<Mailbox>, u16)>, outcome: Result<(), SubmitError>) {
    if let Some((mailbox, packet_id)) = answer_to {
        mailbox.report_stored(packet_id, outcome);
    }
}

fn size(message: &Message) -> usize {
    message.topic.len() + message.payload.len() + message.properties.size()
}
