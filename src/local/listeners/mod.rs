//! Accepts connections and identifies the callers at their other ends.
//!
//! `server` accepts for every [`Listener`](server::Listener), whatever is spoken on its connections; `http` speaks HTTP/1.1
//! for two of them, and `mqtt` has the two whose connections speak MQTT.

mod accept_status;
mod connections;
mod host_header;
mod http;
mod loopback;
mod mqtt;
mod server;
mod shared_stream;
mod socket_file;
mod unix;

pub use accept_status::AcceptStatus;
pub use connections::{ConnectionEnd, ConnectionSlot, Connections};
pub use loopback::listen_on_loopback;
pub use mqtt::{listen_for_mqtt, mqtt_socket_path};
pub use server::accept_connections;
pub use unix::{UnixSocketListener, bind_socket, socket_path};
