//! gatepost keeps one gateway's identity.

pub mod backoff;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod problem;
pub mod secret;
pub mod status;
pub mod token;
pub mod topic;
