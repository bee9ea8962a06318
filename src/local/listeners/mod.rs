//! Accepts connections and identifies the callers at their other ends.
//!
//! `server` accepts for every [`Listener`](server::Listener), whatever is spoken on its connections; `http` speaks HTTP/1.1
//! for the two listeners that there are.

mod connections;
mod host_header;
mod http;
mod loopback;
mod server;
mod unix;

pub use connections::Connections;
pub use loopback::listen_on_loopback;
pub use server::accept_connections;
pub use unix::{UnixSocketListener, bind_socket, socket_path};
