//! What AWS sees: provisioning, the MQTT session, the credentials provider.

pub mod credentials;
pub mod provisioning;
