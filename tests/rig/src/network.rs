//! A network between a gateway and its cloud that can be cut, slow or half-open: two network namespaces and a cable.
//!
//! The namespaces have no names, so nothing is left behind and parallel runs cannot collide. A process holds each one
//! and ends when its standard input is closed, which happens however a test ends. Packets are delayed by a line that is
//! too slow for them (tc-tbf(8)), because not every kernel has netem.

mod cable;
mod host;
mod proxy;
mod standby;

pub use cable::{CLOUD, CLOUD_NAME, End, Network};
pub use proxy::{Demand, Program, Proxy};
pub use standby::{FAR_CLOUD, Loss, Standby};
