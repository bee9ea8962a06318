//! The records of one account: CAs, certificates, things, policies, roles and role aliases.
//!
//! These are plain data with plain methods. The control plane uses them, and they are stored as one JSON file. `records` has the types;
//! each of the other files has the API's operations on one of them.

mod ca;
mod certificate;
mod data;
mod file;
mod policy;
mod records;
mod refusal;
mod role;
mod role_alias;
mod shared;
mod standing;
mod template;
mod thing;
mod time;

pub use ca::NewCa;
pub use data::Account;
pub(crate) use records::RegistrationPlan;
pub use records::{
    AWS_IOT, CREDENTIALS_PROVIDER, CaCertificate, CaId, Certificate, CertificateId, CertificateMode, CertificateStatus,
    Named, PolicyVersion, PreProvisioningHook, ProvisioningTemplate, RegistrationConfig, Role, RoleAlias, TemplateType,
    Thing, TrustPolicy, VersionedPolicy,
};
pub use refusal::{Refusal, RefusalKind};
pub use shared::SharedAccount;
pub(crate) use standing::Standing;
pub use time::EpochSeconds;
pub(crate) use time::now;
