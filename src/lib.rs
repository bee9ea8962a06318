//! gatepost keeps one gateway's identity.

pub mod backoff;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod credentials;
pub mod identity;
pub mod local;
pub mod percent;
pub mod problem;
pub mod secret;
pub mod status;
pub mod token;
pub mod topic;
