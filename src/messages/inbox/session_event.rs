//! Events that the session sends to the inbox.

use super::ack::AckGuard;
use crate::messages::message::Received;
use crate::problem::Problem;

/// Event that the session sends to the inbox.
#[derive(Debug)]
pub enum SessionEvent {
    /// A message.
    Message(Received, AckGuard),
    /// AWS has a new session, which has no subscriptions yet.
    NewSession,
    /// AWS has accepted the subscription to a filter.
    Subscribed(String),
    /// AWS has refused the subscription to a filter, for this reason.
    Refused(String, Problem),
}
