//! AWS IoT Core for one machine: just-in-time provisioning, policies, limits and refusals in front of a real
//! mosquitto, the credentials provider, and an STS that checks signatures, all on loopback.
//!
//! [`Cloudlet::start`] starts one, dropping it ends it. [`account`] is what AWS would know, [`switches`] what can go
//! wrong, [`events`] what happened. Inside, a connection goes through `tls`, then `front` (MQTT) or `credentials`
//! (HTTPS); `jitp` provisions what `account` does not know yet, `policy` decides, `broker` keeps the MQTT sessions.
//! What the credentials provider issues is remembered in [`sessions`], where `sts` looks for who signed ([`sigv4`]).

pub mod account;
mod broker;
mod cloud;
mod cloudlet;
mod credentials;
mod error;
pub mod events;
mod front;
mod jitp;
mod listener;
mod mqtt;
mod options;
mod policy;
pub mod sessions;
mod sha256;
pub mod sigv4;
mod sts;
pub mod switches;
mod tls;
mod x509;

use std::fmt;

pub use account::{CaId, Certificate, CertificateId, CertificateStatus, Role, RoleAlias, Thing};
pub use broker::Broker;
pub use cloudlet::Cloudlet;
pub use error::Error;
pub use events::{Event, JitpStep, Observer};
pub use front::Connection;
pub use jitp::Template;
pub use options::Options;
pub use policy::{Decision, Policy};
pub use sessions::{Minted, SessionStore};

/// Where clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// MQTT over TLS.
    Mqtt,
    /// The credentials provider.
    Credentials,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mqtt => "mqtt",
            Self::Credentials => "credentials",
        })
    }
}
