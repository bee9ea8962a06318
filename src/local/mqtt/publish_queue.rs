//! Queues QoS 1 messages from all MQTT connections for the outbox.
//!
//! One task collects what the connections have received and passes it to the store in batches, in the order of arrival, without waiting for
//! the disk: the store commits together whatever has arrived during an fdatasync. Meanwhile a connection continues to read, up to its
//! Receive Maximum. Another task reports the outcomes, in the order of the messages, because clients expect PUBACK in that order
//! (MQTT 5.0, 4.6).

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_local;

use super::counts::{MqttCounts, count};
use super::log::MqttLog;
use super::mailbox::Mailbox;
use crate::messages::{Account, BatchOutcome, Message, Outbox, Sequence, StoreError, SubmitError};
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
    pub(super) answer_to: AnswerTo,
}

type AnswerTo = Option<(Rc<Mailbox>, u16)>;

/// A batch that has been passed to the store, or that could not be.
#[derive(Debug)]
struct StartedBatch {
    answers: Vec<AnswerTo>,
    outcome: Result<BatchOutcome, StoreError>,
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
    let (started, batches) = mpsc::unbounded_channel();
    spawn_local(report_batches(batches, log));
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
            let outcome = outbox.start_batch(batch).await;
            // It fails only if the other task has panicked.
            let _ = started.send(StartedBatch { answers, outcome });
        }
    }
}

/// Reports the outcomes of batches. The store commits batches in their order, so that none waits for a later one.
async fn report_batches(mut batches: UnboundedReceiver<StartedBatch>, log: Rc<MqttLog>) {
    while let Some(StartedBatch { answers, outcome }) = batches.recv().await {
        let outcome = match outcome {
            Ok(outcome) => outcome
                .await
                .unwrap_or_else(|_| Err(StoreError::from(Problem::wait("gatepost is ending")))),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(outcomes) => report_outcomes(answers, outcomes, &log.counts),
            Err(error) => report_failure(answers, &error),
        }
    }
}

fn report_outcomes(answers: Vec<AnswerTo>, outcomes: Vec<Result<i64, SubmitError>>, counts: &MqttCounts) {
    for (answer_to, outcome) in answers.into_iter().zip(outcomes) {
        if outcome.is_ok() {
            count(&counts.stored);
        }
        report(answer_to, outcome.map(drop));
    }
}

fn report_failure(answers: Vec<AnswerTo>, error: &StoreError) {
    for answer_to in answers {
        report(answer_to, Err(error.clone().into()));
    }
}

fn report(answer_to: AnswerTo, outcome: Result<(), SubmitError>) {
    if let Some((mailbox, packet_id)) = answer_to {
        mailbox.report_stored(packet_id, outcome);
    }
}

fn size(message: &Message) -> usize {
    message.topic.len() + message.payload.len() + message.properties.size()
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;
    use crate::local::testing::Bench;

    fn submission(payload: Vec<u8>, answer_to: Option<(&Rc<Mailbox>, u16)>) -> Submission {
        Submission {
            message: Message {
                topic: "gw-1/open/a".to_owned(),
                payload: payload.into(),
                ..Message::default()
            },
            account: Account::of_user(1),
            sequence: None,
            answer_to: answer_to.map(|(mailbox, id)| (mailbox.clone(), id)),
        }
    }

    /// More than fit into a batch, by number and by size, from two connections and a will.
    #[tokio::test(start_paused = true)]
    async fn every_message_is_stored_in_its_order_and_its_connection_hears_of_it() {
        let test = async {
            let bench = Bench::online().await;
            let (queue, first, second) = (PublishQueue::new(), Rc::<Mailbox>::default(), Rc::<Mailbox>::default());
            let sizes = (0..300_usize).map(|number| if number % 50 == 0 { MAX_BATCH_BYTES } else { 3 });
            for (size, id) in sizes.zip(1_u16..) {
                let mailbox = if id % 2 == 0 { &first } else { &second };
                let answer_to = (id != 7).then_some((mailbox, id));
                let mut payload = id.to_be_bytes().to_vec();
                payload.resize(size, 0);
                queue.push(submission(payload, answer_to));
            }
            let log = Rc::<MqttLog>::default();
            spawn_local(run(
                queue.take_receiver().unwrap(),
                log.clone(),
                bench.context.outbox.clone(),
            ));
            assert!(queue.take_receiver().is_none(), "there is one task");
            while log.counts.stored.get() < 300 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            let outbox = &bench.context.outbox;
            let (mut numbers, mut after) = (Vec::new(), 0);
            while let Some(last) = outbox.list(after, false).await.unwrap().last().map(|entry| entry.id) {
                for id in after + 1..=last {
                    let payload = outbox.show(id).await.unwrap().unwrap().payload;
                    numbers.push(u16::from_be_bytes([payload[0], payload[1]]));
                }
                after = last;
            }
            assert_eq!(numbers, (1..=300).collect::<Vec<u16>>());
            for (mailbox, rest, left_out) in [(&first, 0, 0), (&second, 1, 7)] {
                let answered: Vec<u16> = mailbox
                    .take_stored()
                    .into_iter()
                    .map(|(id, outcome)| {
                        assert!(outcome.is_ok());
                        id
                    })
                    .collect();
                let expected = (1..=300).filter(|id| id % 2 == rest && *id != left_out);
                assert_eq!(answered, expected.collect::<Vec<u16>>());
            }
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn outcomes_are_reported_in_the_order_of_the_messages_whichever_is_known_first() {
        let test = async {
            let (mailbox, log) = (Rc::<Mailbox>::default(), Rc::<MqttLog>::default());
            let (started, batches) = mpsc::unbounded_channel();
            let start = |ids: std::ops::Range<u16>| {
                let (outcome, known) = tokio::sync::oneshot::channel();
                let answers = ids.map(|id| Some((mailbox.clone(), id))).collect();
                let batch = StartedBatch {
                    answers,
                    outcome: Ok(known),
                };
                started.send(batch).unwrap();
                outcome
            };
            let (first, second, third) = (start(1..3), start(3..5), start(5..6));
            let error = StoreError::from(Problem::wait("the disk is full"));
            let refused = vec![Some((mailbox.clone(), 6))];
            let outcome = Err(error.clone());
            started
                .send(StartedBatch {
                    answers: refused,
                    outcome,
                })
                .unwrap();
            drop(started);
            let reporting = spawn_local(report_batches(batches, log.clone()));
            third.send(Err(error)).unwrap();
            second.send(Ok(vec![Ok(3), Ok(4)])).unwrap();
            tokio::task::yield_now().await;
            assert_eq!(log.counts.stored.get(), 0);
            first.send(Ok(vec![Ok(1), Ok(2)])).unwrap();
            reporting.await.unwrap();
            let reported: Vec<_> = mailbox
                .take_stored()
                .into_iter()
                .map(|(id, outcome)| (id, outcome.is_ok()))
                .collect();
            let expected = [(1, true), (2, true), (3, true), (4, true), (5, false), (6, false)];
            assert_eq!((reported.as_slice(), log.counts.stored.get()), (&expected[..], 4));
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn what_comes_after_the_end_is_refused() {
        let (queue, mailbox) = (PublishQueue::new(), Rc::<Mailbox>::default());
        drop(queue.take_receiver());
        queue.push(submission(Vec::new(), Some((&mailbox, 3))));
        queue.push(submission(Vec::new(), None));
        let outcomes = mailbox.take_stored();
        assert!(
            matches!(outcomes[..], [(3, Err(SubmitError::Unusable(_)))]),
            "{outcomes:?}"
        );
    }
}
