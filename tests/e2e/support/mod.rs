//! Support for all end-to-end tests: a gateway with its token, its fleet CA and its cloud.

mod defaults;
mod gateway;
mod world;

pub use defaults::{PIN, SOON, THING, options, shell};
pub use gateway::Gateway;
pub use world::World;
