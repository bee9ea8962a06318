//! The MQTT endpoint, which makes AWS IoT's decisions in front of a broker that keeps the sessions.
//!
//! Every packet is parsed in both directions. `connect` decides about CONNECT; then `relay` runs `upstream`, from the client, and
//! `downstream`, to the client.

mod admission;
mod client_records;
mod connect;
mod connections;
mod direct;
mod direct_message;
mod downstream;
mod end;
mod lifecycle;
pub(crate) mod limits;
mod listener;
mod packet_ids;
mod publish_rate;
mod relay;
mod service_publisher;
mod session;
mod streams;
mod upstream;
mod writer;

pub(crate) use client_records::ClientRecords;
pub use connections::Connection;
pub(crate) use connections::Connections;
pub(crate) use direct_message::{DirectMessage, DirectOutcome};
pub(crate) use lifecycle::Lifecycle;
pub(crate) use listener::serve;
pub(crate) use service_publisher::{ServiceMessage, ServicePublisher, publish as run_service_publisher};
