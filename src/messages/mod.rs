//! What must not be lost between the wings: messages to AWS until it has acknowledged them, and messages from AWS until the
//! programs have taken them.
//!
//! `store` is the one thread that has the database. The way out: a program's message is accepted by [`Outbox::accept`]
//! (`outbox`, on the disk), the session takes it (`lanes` say in which order) and says what became of it. The way in: the
//! session hands each message to the [`Inbox`], which knows who is subscribed (`streams`) and keeps messages for durable
//! subscriptions (`kept`), or holds them where the disk does not take them (`held`). What people look at is in `inspect`.

mod anew;
mod context;
mod database;
mod delivery;
mod facts;
mod file;
mod handles;
mod held;
mod inbox;
mod inspect;
mod kept;
mod lanes;
mod message;
mod outbox;
mod owner;
mod reserve;
mod schema;
mod share;
mod store;
mod streams;
mod subscription_state;
#[cfg(test)]
mod tests;
mod topics;
mod vacuum;
mod wanted;

use std::path::Path;
use std::time::Duration;

pub use context::Outcome;
pub use file::{QueueCounts, StoreError};
pub use handles::{Handles, Outbox, Qos0Message, prepare, spawn};
pub use inbox::{Inbox, SubscribeError, Subscriber};
pub use inspect::{Entry, Which, Whole};
pub use kept::{Acknowledged, DurableSubscription, DurableSubscriptionDocument, DurableSubscriptionError};
pub use message::{EXPIRY_RANGE, MAX_PAYLOAD, MAX_PROPERTIES, Message, Properties, Received};
pub use outbox::{MessageRef, Outgoing, SubmitError};
pub use owner::{Account, Owner, SELECTORS, TokenOwner};
pub use streams::{AckGuard, SessionEvent, Subscription};
pub use subscription_state::SubscriptionState;
pub use wanted::{MAX_FILTERS, Wanted, WantedFilter, Wish, fewest, is_wild};

use crate::problem::Problem;
use file::Unusable;

/// What is in the state folder's database, while no daemon has it; `None` where there is none yet.
///
/// # Errors
/// When the daemon could not use it either, or would set it aside.
pub fn look(state: &Path) -> Result<Option<QueueCounts>, Problem> {
    let path = file::path(state);
    // Who may not even see that is told why below.
    if matches!(path.try_exists(), Ok(false)) {
        return Ok(None);
    }
    file::look(&path).map(Some).map_err(|why| match why {
        Unusable::Not(failure) => failure.problem,
        Unusable::Broken(error) => {
            let message = format!("{} is broken: {}", path.display(), file::brief(&error));
            Problem::wait(message).next("start the daemon: it sets the file aside and begins a new one")
        }
    })
}

/// How much is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes in the outbox.
    pub max_bytes: u64,
    /// Messages in the outbox.
    pub max_messages: u64,
    /// How old a message may become before it is sent.
    pub max_age: Duration,
    /// What becomes of a message for which there is no room.
    pub when_full: WhenFull,
    /// Bytes kept for one durable subscription.
    pub inbox_max_bytes: u64,
    /// Messages kept for one durable subscription.
    pub inbox_max_messages: u64,
}

/// What becomes of a message for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused.
    Refuse,
    /// The oldest in the outbox are dropped for it.
    DropOldest,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024 * 1024,
            max_messages: 1_000_000,
            max_age: Duration::from_secs(14 * 24 * 3600),
            when_full: WhenFull::Refuse,
            inbox_max_bytes: 8 * 1024 * 1024,
            inbox_max_messages: 10_000,
        }
    }
}
