//! Messages that must not be lost between the threads: messages to AWS until AWS acknowledges them, and messages from AWS
//! until programs have taken them.
//!
//! - `thread` is the one thread that owns the `database`; all others send it jobs. `store` is the database file.
//! - Outgoing: [`Outbox::accept`] writes a program's message to the disk. The session takes messages in the order that
//!   `outbox/schedule` gives, and reports the outcome of each.
//! - Incoming: the session passes each message to the [`Inbox`], which copies it to the streams of subscribed programs
//!   (`inbox/stream`) and stores it for durable subscriptions (`inbox/durable`). Messages that the disk does not accept
//!   wait in `inbox/unstored`.

mod bounds;
mod context;
mod database;
mod handles;
mod inbox;
mod message;
mod outbox;
mod owner;
mod store;
mod subscription_state;
#[cfg(test)]
mod tests;
mod thread;
mod total;

use std::path::Path;

pub use bounds::{Bounds, WhenFull};
pub use handles::{Handles, prepare, spawn};
pub use inbox::Inbox;
pub use inbox::ack::{AckGuard, AckOutcome};
pub use inbox::client_items::{FilterEvent, QueuedMessage};
pub use inbox::client_queue::ClientInbox;
pub use inbox::clients::Client;
pub use inbox::delivery::{Delivery, StreamEnd, StreamItem};
pub use inbox::durable::session_record::SessionFilter;
pub use inbox::durable::sessions::{OpenedSession, SessionRequest};
pub use inbox::durable::subscription::{
    AcknowledgeOutcome, DurableSubscription, DurableSubscriptionError, SubscriptionStatus,
};
pub use inbox::filters::{DesiredFilter, DesiredFilters, Interest, MAX_FILTERS, has_wildcard, minimal_cover};
pub use inbox::own_subscriptions::{OwnItem, OwnSubscriber, OwnSubscriptions, own_subscriptions};
pub use inbox::session_event::SessionEvent;
pub use inbox::stream::Subscription;
pub use inbox::subscriber::{SubscribeError, Subscriber};
pub use message::{EXPIRY_RANGE, MAX_PAYLOAD, MAX_PROPERTIES, Message, Properties, Received};
pub use outbox::admin::{MessageState, OutboxEntry, OutboxMessage, Selection};
pub use outbox::message_ref::{MessageRef, Outgoing, SubmitError};
pub use outbox::outcome::Outcome;
pub use outbox::qos0::Qos0Message;
pub use outbox::sequence::Sequence;
pub use outbox::{BatchOutcome, Outbox};
pub use owner::{Account, Owner, SELECTORS, TokenOwner};
pub use store::error::StoreError;
pub use store::file::QueueCounts;
pub use subscription_state::SubscriptionState;
pub use total::Total;

use crate::problem::Problem;
use store::error::{OpenError, describe};
use store::file;

/// Counts the messages in the state folder's database while no daemon has it open; `None` if there is no database yet.
///
/// # Errors
/// If the daemon could not use the database either, or would set it aside.
pub fn inspect_database(state: &Path) -> Result<Option<QueueCounts>, Problem> {
    let path = file::path(state);
    // If the folder is not readable, `count_messages` says why.
    if matches!(path.try_exists(), Ok(false)) {
        return Ok(None);
    }
    file::count_messages(&path).map(Some).map_err(|why| match why {
        OpenError::Unavailable(error) => error.problem,
        OpenError::Corrupt(error) => {
            let message = format!("{} is corrupt: {}", path.display(), describe(&error));
            Problem::wait(message).next("start the daemon: it moves the file aside and creates a new one")
        }
    })
}
