//! TLS as AWS IoT's endpoints use it: 1.2 and 1.3, required client certificates, exact SNI, no resumption.

mod accept;
mod authority;
mod server_configs;
mod server_name;
mod verifier;

pub(crate) use accept::{Accepted, accept};
pub(crate) use authority::Authority;
pub(crate) use server_configs::ServerConfigs;
