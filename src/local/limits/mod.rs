//! Limits for local callers: connections, requests, and requests that wait. None of them depends on a protocol.

mod ack_waiters;
mod admission;
mod rate;
mod request_counts;

pub use ack_waiters::{AckWaiters, TooManyWaitersError};
pub use admission::{Admission, HTTP_SLOTS, MQTT_SLOTS, OccupiedSlot, Origin, PER_ORIGIN, Slots, admit};
pub use rate::{RateLimitError, RateLimiter};
pub use request_counts::RequestCounts;
