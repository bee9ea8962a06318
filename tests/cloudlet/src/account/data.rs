//! The account, which the other files in this folder read and change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::records::{
    CaCertificate, CaId, Certificate, CertificateId, Named, ProvisioningTemplate, Role, RoleAlias, Thing,
    VersionedPolicy,
};
use crate::access_keys::LongTerm;
use crate::sha256;

/// The records of one account in one Region.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    pub(super) id: String,
    pub(super) region: String,
    pub(super) cas: BTreeMap<CaId, CaCertificate>,
    pub(super) certificates: BTreeMap<CertificateId, Certificate>,
    pub(super) things: BTreeMap<String, Thing>,
    pub(super) thing_types: BTreeMap<String, Named>,
    pub(super) thing_groups: BTreeMap<String, Named>,
    pub(super) policies: BTreeMap<String, VersionedPolicy>,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) role_aliases: BTreeMap<String, RoleAlias>,
    pub(super) templates: BTreeMap<String, ProvisioningTemplate>,
    pub(super) administrator: LongTerm,
    pub(super) registration_code: String,
}

impl Account {
    /// Creates an account without any resources.
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

    /// Returns the access key of the administrator, who may do everything.
    pub fn administrator(&self) -> &LongTerm {
        &self.administrator
    }

    /// Returns the code that a verification certificate must contain (GetRegistrationCode).
    pub fn registration_code(&self) -> &str {
        &self.registration_code
    }

    /// DeleteRegistrationCode. A new code is generated.
    pub fn delete_registration_code(&mut self) {
        self.registration_code = new_registration_code();
    }

    /// Returns the account ID, twelve digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the Region, such as `us-east-1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the ARN of an AWS IoT resource. `kind` is `topic`, `topicfilter`, `client` or `rolealias`.
    pub fn iot_arn(&self, kind: &str, name: &str) -> String {
        format!("arn:aws:iot:{}:{}:{kind}/{name}", self.region, self.id)
    }

    /// Returns the ARN of an IAM role of this account.
    pub fn role_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.id)
    }
}

/// Generates a registration code of 64 hexadecimal digits, like AWS's.
fn new_registration_code() -> String {
    sha256::hex(LongTerm::new().secret_access_key.as_bytes())
}
