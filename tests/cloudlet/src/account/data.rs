//! The account: its resources, and the operations that need resources of several kinds.

use serde::{Deserialize, Serialize};

use super::ca::{CaCertificates, NewCa};
use super::certificate::Certificates;
use super::policy::Policies;
use super::records::{CaId, Certificate, CertificateId, CertificateStatus};
use super::refusal::Refusal;
use super::registry::Registry;
use super::role::Roles;
use super::role_alias::RoleAliases;
use super::template::Templates;
use crate::access_keys::LongTerm;
use crate::policy::Policy;
use crate::x509::ParsedCertificate;
use crate::{Error, sha256};

/// The resources of one account in one Region. Operations on resources of one kind are methods of the fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    id: String,
    region: String,
    /// The CAs whose certificates make devices of the account.
    pub cas: CaCertificates,
    /// The device certificates.
    pub certificates: Certificates,
    /// Things, their types and their groups.
    #[serde(flatten)]
    pub registry: Registry,
    /// The AWS IoT policies.
    pub policies: Policies,
    /// The IAM roles.
    pub roles: Roles,
    /// The role aliases.
    pub role_aliases: RoleAliases,
    /// The provisioning templates.
    pub templates: Templates,
    administrator: LongTerm,
    registration_code: String,
}

impl Account {
    /// Creates an account without any resources.
    pub fn new(id: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            region: region.into(),
            cas: CaCertificates::default(),
            certificates: Certificates::default(),
            registry: Registry::default(),
            policies: Policies::default(),
            roles: Roles::default(),
            role_aliases: RoleAliases::default(),
            templates: Templates::default(),
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

    /// Returns a thing's `thingId`: a UUID that is always the same for the same name.
    pub fn thing_id(&self, name: &str) -> String {
        let hash = sha256::hex(self.iot_arn("thing", name).as_bytes());
        let bytes = hash.bytes().filter_map(|digit| char::from(digit).to_digit(16));
        let number = bytes
            .take(32)
            .fold(0_u128, |number, digit| number << 4 | u128::from(digit));
        uuid::Builder::from_random_bytes(number.to_be_bytes())
            .into_uuid()
            .to_string()
    }

    /// RegisterCACertificate. In certificate mode DEFAULT the account's registration code proves that the caller holds the CA's key.
    pub fn register_ca(&mut self, new: NewCa<'_>) -> Result<CaId, Error> {
        self.cas.register(new, &self.registration_code)
    }

    /// RegisterCertificate, and RegisterCertificateWithoutCA if `needs_ca` is not set.
    pub fn register_certificate(
        &mut self,
        pem: &str,
        status: CertificateStatus,
        needs_ca: bool,
    ) -> Result<CertificateId, Error> {
        let parsed = ParsedCertificate::from_pem(pem.as_bytes())?;
        let ca = self.cas.signer_of(&parsed).map(|ca| ca.id.clone());
        if needs_ca && ca.is_none() && self.certificates.get(&CertificateId::of(&parsed)).is_none() {
            return Err(Error::Certificate("no registered CA signed it".into()));
        }
        self.certificates.register_pem(pem, ca, status)
    }

    /// Returns a registered device certificate by its ID, or by its ARN as a principal or a target.
    pub fn certificate_named(&self, name: &str) -> Result<&Certificate, Error> {
        let id = match name.strip_prefix(&self.iot_arn("cert", "")) {
            Some(id) => id,
            None if name.starts_with("arn:") => {
                return Err(Refusal::invalid(format!("{name} is not the ARN of a certificate of this account")).into());
            }
            None => name,
        };
        self.certificates.existing(&CertificateId(id.to_owned()))
    }

    /// DeleteThing. Its certificates must have been detached.
    pub fn delete_thing(&mut self, name: &str) -> Result<(), Error> {
        let is_attached = self.certificates.iter().any(|known| known.things.contains(name));
        self.registry.delete_thing(name, is_attached)
    }

    /// AttachThingPrincipal.
    pub fn attach_thing(&mut self, id: &CertificateId, thing: &str) -> Result<(), Error> {
        self.registry.existing_thing(thing)?;
        self.certificates.attach_thing(id, thing)
    }

    /// DeletePolicy. The policy must not be attached, and must have no version besides the default one.
    pub fn delete_policy(&mut self, name: &str) -> Result<(), Error> {
        let is_attached = self.certificates.iter().any(|known| known.policies.contains(name));
        self.policies.delete(name, is_attached)
    }

    /// AttachPolicy.
    pub fn attach_policy(&mut self, id: &CertificateId, policy: &str) -> Result<(), Error> {
        self.policies.existing(policy)?;
        self.certificates.attach_policy(id, policy)
    }

    /// DetachPolicy.
    pub fn detach_policy(&mut self, id: &CertificateId, policy: &str) -> Result<(), Error> {
        self.policies.existing(policy)?;
        self.certificates.detach_policy(id, policy)
    }

    /// Returns the policies attached to a certificate.
    pub fn policies_of(&self, id: &CertificateId) -> Vec<&Policy> {
        let names = self.certificates.get(id).map(|certificate| &certificate.policies);
        names
            .into_iter()
            .flatten()
            .filter_map(|name| self.policies.get(name))
            .collect()
    }
}

/// Generates a registration code of 64 hexadecimal digits, like AWS's.
fn new_registration_code() -> String {
    sha256::hex(LongTerm::new().secret_access_key.as_bytes())
}
