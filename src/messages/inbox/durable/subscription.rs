//! Durable subscriptions and their messages.

use std::time::SystemTime;

use super::session_record::SessionRecord;
use crate::messages::message::Received;
use crate::messages::owner::Owner;
use crate::messages::total::Total;
use crate::qos::Qos;

/// A durable subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableSubscription {
    /// Name of the subscription.
    pub name: String,
    /// Its number in the database.
    pub(in crate::messages) number: i64,
    /// Owner of the subscription.
    pub owner: Owner,
    /// Topic filter; empty if it is the session of an MQTT client, which may have several.
    pub filter: String,
    /// Quality of service.
    pub qos: Qos,
    /// The session of an MQTT client, if it is one.
    pub session: Option<SessionRecord>,
    /// Messages that are stored for it.
    pub total: Total,
    /// Number of the last message.
    pub(in crate::messages) last: i64,
    /// Messages that it has lost because there was no room.
    pub dropped: u64,
    /// Stored messages that no rule allowed when their turn came. An acknowledgement does not delete them.
    pub withheld: u64,
}

impl DurableSubscription {
    /// Its topic filters.
    pub fn filters(&self) -> impl Iterator<Item = (&str, Qos)> {
        let single = self.session.is_none().then_some((self.filter.as_str(), self.qos));
        let of_session = self.session.iter().flat_map(|session| &session.filters);
        single
            .into_iter()
            .chain(of_session.map(|filter| (filter.filter.as_str(), filter.qos())))
    }

    /// Returns whether `owner` may read it: its owner may, and a unit that runs as the user who owns it.
    pub(in crate::messages) fn may_be_used_by(&self, owner: &Owner) -> bool {
        let is_of_same_user = match (&self.owner, owner) {
            (Owner::User { uid, .. }, Owner::Unit { uid: other, .. }) => uid == other,
            _ => false,
        };
        self.owner.is(owner) || is_of_same_user
    }
}

/// A durable subscription and whether it is suspended.
#[derive(Clone, Debug)]
pub struct SubscriptionStatus {
    /// The subscription.
    pub subscription: DurableSubscription,
    /// Whether no access rule allows the filter to its owner any more. No messages are stored for it then.
    pub is_suspended: bool,
}

/// A message that is stored for a durable subscription.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Number by which it is acknowledged.
    pub id: i64,
    /// The message.
    pub message: Received,
    /// When it arrived.
    pub received: SystemTime,
    /// Whether no rule allowed it when its turn came.
    pub(in crate::messages) withheld: bool,
}

/// Why a durable subscription is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurableSubscriptionError {
    /// It has another owner, whose name is not told.
    Owned,
    /// There are too many.
    TooMany(usize),
    /// The account has too many.
    TooManyOfAccount(usize),
}

/// Outcome of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcknowledgeOutcome {
    /// All acknowledged messages are deleted.
    Done,
    /// The oldest are deleted; ask again for the rest.
    More,
    /// There is no such subscription.
    Unknown,
    /// No message has that number yet; this is the last one.
    Beyond(i64),
}
