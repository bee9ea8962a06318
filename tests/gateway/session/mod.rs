//! The one persistent MQTT session.

mod endpoint;
mod faults;
mod patience;
mod persistence;
mod presence;
mod quirks;
mod refusals;
mod unreachable;
