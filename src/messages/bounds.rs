//! Limits of the outbox and of durable subscriptions.

use std::time::Duration;

/// Limits of the outbox and of durable subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes in the outbox.
    pub max_bytes: u64,
    /// Messages in the outbox.
    pub max_messages: u64,
    /// Age at which a message in the outbox is dropped.
    pub max_age: Duration,
    /// The treatment of a message for which there is no room.
    pub when_full: WhenFull,
    /// Bytes stored for one durable subscription.
    pub inbox_max_bytes: u64,
    /// Messages stored for one durable subscription.
    pub inbox_max_messages: u64,
}

/// The treatment of a message for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The message is refused.
    Refuse,
    /// The oldest messages in the outbox are dropped to make room.
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
