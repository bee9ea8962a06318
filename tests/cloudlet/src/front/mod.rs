//! The MQTT endpoint: what AWS IoT decides, in front of a broker that keeps the sessions.
//!
//! Every packet is parsed in both directions. CONNECT is decided in `connect`; then `relay` runs `upstream`, from the client,
//! and `downstream`, to it.

mod admission;
mod connect;
mod connections;
mod downstream;
mod end;
mod lifecycle;
mod lifecycle_publisher;
pub(crate) mod limits;
mod listener;
mod pace;
mod relay;
mod session;
mod streams;
mod upstream;
mod writer;

pub use connections::Connection;
pub(crate) use connections::Connections;
pub(crate) use lifecycle::Lifecycle;
pub(crate) use lifecycle_publisher::publish as publish_lifecycle;
pub(crate) use listener::serve;
