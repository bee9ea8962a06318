//! Messages that are passed on without waiting for their outcome, for callers that have many.

use tokio::sync::oneshot;

use super::Outbox;
use super::message_ref::{Submission, SubmitError};
use super::sequence::{Place, Sequence};
use super::table;
use crate::messages::database::Database;
use crate::messages::message::Message;
use crate::messages::owner::Account;
use crate::messages::store::error::StoreError;
use crate::messages::thread::job::Durability;
use crate::problem::Problem;

impl Outbox {
    /// Accepts several messages in one step, in this order; those in a sequence only if all before them in it are accepted. The channel
    /// receives the outcome of each once all are on the disk. A caller that waits for its turn only, and not for the outcome, keeps the order among its own batches.
    ///
    /// # Errors
    /// If the store has ended.
    pub async fn start_batch(
        &self,
        batch: Vec<(Message, Account, Option<Sequence>)>,
    ) -> Result<oneshot::Receiver<Result<Vec<Result<i64, SubmitError>>, StoreError>>, StoreError> {
        // The places are made here, so that a batch that is never run interrupts its sequences.
        let submissions: Vec<_> = batch
            .into_iter()
            .map(|(message, account, sequence)| Submission {
                message,
                account,
                waiter: None,
                place: Place::new(sequence),
            })
            .collect();
        let accept = move |database: &mut Database| {
            submissions
                .into_iter()
                .map(|submission| table::accept(database, submission))
                .collect()
        };
        self.store.start(Durability::SyncedInsert, accept).await
    }

    /// Passes a QoS 0 message to the session as soon as that has room for it. The channel receives whether it was sent; the message
    /// is not sent once the receiver is dropped.
    ///
    /// # Errors
    /// If the session has ended.
    pub async fn start_qos0(&self, message: Message) -> Result<oneshot::Receiver<Result<(), Problem>>, Problem> {
        self.qos0.start(message).await
    }
}
