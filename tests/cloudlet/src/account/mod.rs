//! What AWS knows about one account: CAs, certificates, things, policies, roles and role aliases.
//!
//! Plain data with plain methods: a control plane can sit on it, and it is one JSON file when kept.

mod ca;
mod certificate;
mod refusal;
mod role;
mod shared;
mod standing;
mod thing;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use ca::{CaCertificate, CaId};
pub use certificate::{Certificate, CertificateId, CertificateStatus};
pub use refusal::{Refusal, RefusalKind};
pub use role::{Role, RoleAlias};
pub use shared::SharedAccount;
pub(crate) use standing::Standing;
pub use thing::Thing;

use crate::access_keys::LongTerm;
use crate::policy::Policy;

/// What AWS knows about one account in one Region.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    id: String,
    region: String,
    cas: BTreeMap<CaId, CaCertificate>,
    certificates: BTreeMap<CertificateId, Certificate>,
    things: BTreeMap<String, Thing>,
    policies: BTreeMap<String, Policy>,
    roles: BTreeMap<String, Role>,
    role_aliases: BTreeMap<String, RoleAlias>,
    administrator: LongTerm,
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
            policies: BTreeMap::new(),
            roles: BTreeMap::new(),
            role_aliases: BTreeMap::new(),
            administrator: LongTerm::new(),
        }
    }

    /// The access key that may do everything.
    pub fn administrator(&self) -> &LongTerm {
        &self.administrator
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
