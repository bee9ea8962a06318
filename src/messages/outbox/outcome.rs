//! Outcome of a message in the outbox.

/// Outcome of a message, reported to the caller who waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// AWS has acknowledged the message.
    Acknowledged,
    /// AWS did not accept the message, for this reason; it is parked.
    Parked(String),
    /// The message was dropped, for this reason.
    Dropped(String),
}
