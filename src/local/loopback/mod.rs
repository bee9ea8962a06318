//! The state of the loopback listener: its port, its tokens, and what passes to the next run.
//!
//! An SDK presents its token to whoever has the port, so the service manager keeps the listening socket and the tokens from
//! one run to the next (`bearer_tokens::sealed_snapshot`), and tokens are as old as the socket.

mod bind_error;
mod port;
mod port_holder;
mod slot;
mod state;

pub use bind_error::BindError;
pub use port::bind;
pub use port_holder::PortHolder;
pub use slot::LoopbackSlot;
pub use state::{Inherited, Loopback};
