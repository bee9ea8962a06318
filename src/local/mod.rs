//! What local programs see: the Unix socket.
//!
//! One thread, one runtime, and every answer from memory: nothing here waits for the cloud wing, the token or the disk.
//! The way of a request: `server` -> `peer` -> `resources` -> `access` -> a snapshot in `view` -> `answer`.

mod access;
mod answer;
mod callers;
mod peer;
mod resources;
mod server;
mod socket;
mod view;
mod wing;

pub use access::Access;
pub use resources::summary;
pub use socket::{Socket, bind};
pub use view::Shared;
pub use wing::run;
