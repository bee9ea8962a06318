//! References to messages in the outbox, and why a message is not accepted.

use tokio::sync::oneshot;

use super::outcome::Outcome;
use super::sequence::Place;
use crate::messages::message::Message;
use crate::messages::owner::Account;
use crate::messages::store::error::StoreError;
use crate::problem::Problem;

/// Reference to a message in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRef {
    /// Number of the message: later messages have larger ones.
    pub id: i64,
    /// Topic of the message.
    pub topic: String,
    /// Size that counts towards the limits.
    pub size: u64,
    /// Account of the publisher, for limits and schedule.
    pub account: Account,
}

/// A message that the session is to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Reference to report the outcome by.
    pub message_ref: MessageRef,
    /// The message, with the remaining part of its expiry.
    pub message: Message,
}

/// A message to accept.
#[derive(Debug)]
pub(in crate::messages) struct Submission {
    pub(in crate::messages) message: Message,
    pub(in crate::messages) account: Account,
    /// Receives the outcome, if a caller waits for it.
    pub(in crate::messages) waiter: Option<oneshot::Sender<Outcome>>,
    pub(in crate::messages) place: Place,
}

impl Submission {
    pub(in crate::messages) fn new(
        message: Message,
        account: Account,
        waiter: Option<oneshot::Sender<Outcome>>,
    ) -> Self {
        Self {
            message,
            account,
            waiter,
            place: Place::default(),
        }
    }
}

/// Why a message was not accepted.
#[derive(Clone, Debug)]
pub enum SubmitError {
    /// The outbox has no room.
    Full(Problem),
    /// The disk has no room.
    DiskFull(Problem),
    /// The database cannot be used now.
    Unusable(Problem),
}

impl From<StoreError> for SubmitError {
    fn from(why: StoreError) -> Self {
        match why.disk_full {
            true => Self::DiskFull(why.problem),
            false => Self::Unusable(why.problem),
        }
    }
}
