//! The records of an account.

mod ca;
mod certificate;
mod policy;
mod role;
mod role_alias;
mod template;
mod thing;

pub use ca::{CaCertificate, CaId, CertificateMode, RegistrationConfig};
pub use certificate::{Certificate, CertificateId, CertificateStatus};
pub use policy::{PolicyVersion, VersionedPolicy};
pub use role::{AWS_IOT, CREDENTIALS_PROVIDER, Role, TrustPolicy};
pub use role_alias::RoleAlias;
pub(crate) use template::{FleetPlan, RegistrationPlan};
pub use template::{PreProvisioningHook, ProvisioningTemplate, TemplateType};
pub use thing::{Named, Thing};
