//! One account: CAs, certificates, things, policies, roles, role aliases and provisioning templates.
//!
//! These are plain data with plain methods, stored as one JSON file. `records` has the resources. There is one collection for each kind of
//! resource, such as [`Policies`], with the API's operations on it; [`Account`] holds the collections.

mod ca;
mod certificate;
mod data;
mod file;
mod policy;
mod records;
mod refusal;
mod registry;
mod role;
mod role_alias;
mod shared;
mod standing;
mod template;
#[cfg(test)]
mod tests;
mod time;

pub use ca::{CaCertificates, NewCa};
pub use certificate::Certificates;
pub use data::Account;
pub use policy::Policies;
pub(crate) use records::RegistrationPlan;
pub use records::{
    AWS_IOT, CREDENTIALS_PROVIDER, CaCertificate, CaId, Certificate, CertificateId, CertificateMode, CertificateStatus,
    Named, PolicyVersion, PreProvisioningHook, ProvisioningTemplate, RegistrationConfig, Role, RoleAlias, TemplateType,
    Thing, TrustPolicy, VersionedPolicy,
};
pub use refusal::{Refusal, RefusalKind, Resource};
pub use registry::Registry;
pub use role::Roles;
pub use role_alias::RoleAliases;
pub use shared::SharedAccount;
pub(crate) use standing::{Standing, standing};
pub use template::Templates;
pub use time::EpochSeconds;
pub(crate) use time::now;
