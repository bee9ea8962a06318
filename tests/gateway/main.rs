//! The daemon from outside: a real token, a real broker behind the local AWS IoT Core, and gatepostd as it is shipped.
//!
//! Each module is a room of promises; `world` is what they all stand on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bad_input;
mod first_boot;
mod tokens;
mod world;
