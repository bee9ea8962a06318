//! The single persistent MQTT session.

mod broker_limits;
mod endpoint;
mod faults;
mod patience;
mod persistence;
mod presence;
mod quirks;
mod refusals;
mod unreachable;

pub use quirks::world as world_with_scripted_broker;
pub use refusals::policy_without_presence;
