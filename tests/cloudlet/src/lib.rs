//! AWS IoT Core for one machine.

pub mod sessions;
pub mod sigv4;
pub mod sts;
