//! The one persistent MQTT session.

mod endpoint;
mod faults;
mod patience;
mod persistence;
mod presence;
mod refusals;
mod unreachable;
