//! Contents of a stream: messages, and at last the reason why the stream has ended.

use std::sync::Arc;
use std::time::SystemTime;

use crate::messages::message::Received;
use crate::problem::Problem;

/// Next item of a stream.
#[derive(Clone, Debug)]
pub enum StreamItem {
    /// A message.
    Message(Delivery),
    /// The last item.
    End(StreamEnd),
}

/// A message for a program.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Number by which the program acknowledges a message of a durable subscription.
    pub id: Option<i64>,
    /// The message.
    pub message: Arc<Received>,
    /// When it arrived from AWS.
    pub received: SystemTime,
}

impl Delivery {
    /// Returns the size of the content in bytes, for the limit of a stream.
    pub(super) fn size(&self) -> usize {
        let message = &self.message;
        message.topic.len() + message.payload.len() + message.properties.size()
    }
}

/// Why a stream has ended.
#[derive(Clone, Debug)]
pub enum StreamEnd {
    /// The program did not read fast enough while this many messages waited for it.
    TooSlow(usize),
    /// No access rule allows the subscription any more.
    NotAllowed,
    /// The daemon shuts down.
    ShuttingDown,
    /// Another reader has taken over the durable subscription.
    TakenOver,
    /// The durable subscription was deleted.
    Deleted,
    /// AWS has refused the filter.
    Refused(Problem),
    /// The database cannot be used.
    Unusable(Problem),
}
