//! Requests to subscribe, and why they are refused.

use std::sync::Arc;
use std::time::Duration;

use super::durable::subscription::DurableSubscriptionError;
use crate::messages::owner::Owner;
use crate::problem::Problem;
use crate::qos::Qos;
use crate::user_accounts::UserAccounts;

/// A program that subscribes, and what it subscribes to.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Name of the reader, for the limits.
    pub reader: String,
    /// Owner of the subscription if it is durable.
    pub owner: Owner,
    /// Finds the account of a user.
    pub accounts: Arc<UserAccounts>,
    /// Topic filter: checked, with placeholders filled in.
    pub filter: String,
    /// Quality of service.
    pub qos: Qos,
    /// Largest number of different filters that this reader may have.
    pub max_filters: usize,
}

/// Why a request to subscribe is refused.
#[derive(Clone, Debug)]
pub enum SubscribeError {
    /// The reader was cut off because it did not read, and is banned for this long.
    Banned(Duration),
    /// The reader, or all readers together, have too many streams.
    TooManyStreams(usize),
    /// AWS allows no further filters.
    TooManyFilters(usize),
    /// The reader has too many filters.
    TooManyOfReader(usize),
    /// The durable subscription is refused.
    Durable(DurableSubscriptionError),
    /// The database cannot be used.
    Unusable(Problem),
}
