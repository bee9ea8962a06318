//! Messages that are passed on without waiting for their outcome, for callers that have many.

use tokio::sync::oneshot;

use super::message_ref::{Submission, SubmitError};
use super::sequence::{Place, Sequence};
use super::table;
use crate::messages::database::Database;
use crate::messages::message::Message;
use crate::messages::owner::Account;
use crate::messages::store::error::StoreError;
use crate::messages::thread::Store;
use crate::messages::thread::job::Durability;

/// Receives the outcome of each message of a batch, once all are on the disk.
pub type BatchOutcome = oneshot::Receiver<Result<Vec<Result<i64, SubmitError>>, StoreError>>;

/// Accepts messages in one step and in their order, those in a sequence only if all before them in it are accepted.
///
/// # Errors
/// If the store has ended.
pub(super) async fn start_batch(
    store: &Store,
    batch: Vec<(Message, Account, Option<Sequence>)>,
) -> Result<BatchOutcome, StoreError> {
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
    store.start(Durability::SyncedInsert, accept).await
}
