//! AWS IoT Core for one machine: just-in-time provisioning, policies, limits and refusals in front of a real
//! mosquitto, the credentials provider, and the API that the AWS CLI speaks to, all on loopback.
//!
//! [`Cloudlet::start`] starts a cloudlet; dropping it stops it. [`account`] holds AWS's records, [`switches`] inject
//! faults, and [`events`] report what happens. Internally, a connection passes through `tls`, then `front` (MQTT) or
//! `credentials` (HTTPS). `device_services` answers messages on reserved topics, and `fleet_provisioning` is one of its services.
//! `provisioning` registers certificates that `account` does not know, `policy` evaluates policies,
//! and `broker` keeps the MQTT sessions. [`access_keys`] stores the credentials that the credentials provider issues;
//! `api` (STS, IAM and the AWS IoT control plane) verifies signatures against them ([`sigv4`]).

pub mod access_keys;
pub mod account;
mod api;
mod broker;
mod cloud;
mod cloudlet;
mod credentials;
mod device_services;
mod endpoint;
mod error;
pub mod events;
mod fleet_provisioning;
mod folders;
mod front;
mod jobs;
mod json;
mod listener;
mod md5;
mod mqtt;
mod options;
mod policy;
mod provisioning;
mod rotator;
mod sha256;
mod shadow;
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
pub use fleet_provisioning::KeysAndCertificate;
pub use front::Connection;
pub use jobs::JobsHandle;
pub use options::Options;
pub use policy::{Decision, Policy};
pub use provisioning::Template;
