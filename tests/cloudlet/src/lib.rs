//! AWS IoT Core for one machine: just-in-time provisioning, policies, limits and refusals in front of a real
//! mosquitto, the credentials provider, and the API that the AWS CLI speaks to, all on loopback.
//!
//! [`Cloudlet::start`] starts one, dropping it ends it. [`account`] is what AWS would know, [`switches`] what can go
//! wrong, [`events`] what happened. Inside, a connection goes through `tls`, then `front` (MQTT) or `credentials`
//! (HTTPS); `provisioning` provisions what `account` does not know yet, `policy` decides, `broker` keeps the MQTT sessions.
//! What the credentials provider issues is remembered in [`access_keys`], where `api` (STS, IAM and the AWS IoT control
//! plane) looks for who signed ([`sigv4`]).

pub mod access_keys;
pub mod account;
mod api;
mod broker;
mod cloud;
mod cloudlet;
mod credentials;
mod endpoint;
mod error;
pub mod events;
mod front;
mod json;
mod listener;
mod mqtt;
mod options;
mod policy;
mod provisioning;
mod sha256;
pub mod sigv4;
pub mod switches;
mod tls;
mod x509;

pub use access_keys::{AccessKeys, LongTerm, Minted};
pub use account::{CaId, Certificate, CertificateId, CertificateStatus, Role, RoleAlias, Thing};
pub use broker::Broker;
pub use cloudlet::Cloudlet;
pub use endpoint::Endpoint;
pub use error::Error;
pub use events::{Event, JitpStep, Observer};
pub use front::Connection;
pub use options::Options;
pub use policy::{Decision, Policy};
pub use provisioning::Template;
