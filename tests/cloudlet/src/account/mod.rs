//! What AWS knows about one account: CAs, certificates, things, policies, roles and role aliases.
//!
//! Plain data with plain methods: a control plane can sit on it, and it is one JSON file when kept.

mod ca;
mod certificate;
mod file;
mod policy;
mod refusal;
mod role;
mod role_alias;
mod shared;
mod standing;
mod template;
mod thing;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use ca::{CaCertificate, CaId, CertificateMode, NewCa, RegistrationConfig};
pub use certificate::{Certificate, CertificateId, CertificateStatus};
pub use policy::{PolicyVersion, VersionedPolicy};
pub use refusal::{Refusal, RefusalKind};
pub use role::{AWS_IOT, CREDENTIALS_PROVIDER, Role, TrustPolicy};
pub use role_alias::RoleAlias;
pub use shared::SharedAccount;
pub(crate) use standing::{RegistrationPlan, Standing};
pub use template::{ProvisioningTemplate, TemplateType};
pub use thing::{Named, Thing};

use crate::access_keys::LongTerm;
use crate::sha256;

/// A time as the API tells it: seconds since 1970.
pub type EpochSeconds = u64;

pub(crate) fn now() -> EpochSeconds {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// What AWS knows about one account in one Region.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    id: String,
    region: String,
    cas: BTreeMap<CaId, CaCertificate>,
    certificates: BTreeMap<CertificateId, Certificate>,
    things: BTreeMap<String, Thing>,
    thing_types: BTreeMap<String, Named>,
    thing_groups: BTreeMap<String, Named>,
    policies: BTreeMap<String, VersionedPolicy>,
    roles: BTreeMap<String, Role>,
    role_aliases: BTreeMap<String, RoleAlias>,
    templates: BTreeMap<String, ProvisioningTemplate>,
    administrator: LongTerm,
    registration_code: String,
}

impl Account {
    /// An account in which nothing is registered yet.
    pub fn new(id: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            region: region.into(),
            cas: BTreeMap::new(),
            certificates: BTreeMap::new(),
            things: BTreeMap::new(),
            thing_types: BTreeMap::new(),
            thing_groups: BTreeMap::new(),
            policies: BTreeMap::new(),
            roles: BTreeMap::new(),
            role_aliases: BTreeMap::new(),
            templates: BTreeMap::new(),
            administrator: LongTerm::new(),
            registration_code: new_registration_code(),
        }
    }

    /// The access key that may do everything.
    pub fn administrator(&self) -> &LongTerm {
        &self.administrator
    }

    /// The code that a verification certificate must hold (GetRegistrationCode).
    pub fn registration_code(&self) -> &str {
        &self.registration_code
    }

    /// DeleteRegistrationCode: the next one is another.
    pub fn delete_registration_code(&mut self) {
        self.registration_code = new_registration_code();
    }

    /// The twelve digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The Region, as in `us-east-1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The ARN of an AWS IoT resource: `kind` as in `topic`, `topicfilter`, `client`, `rolealias`.
    pub fn iot_arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:iot:{}:{}:{kind}/{name}", self.region, self.id)
    }

    /// The ARN of an IAM role of this account.
    pub fn role_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.id)
    }
}

/// 64 hexadecimal digits, as AWS's is.
fn new_registration_code() -> String {
    sha256::hex(LongTerm::new().secret_access_key.as_bytes())
}
