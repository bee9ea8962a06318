//! Named provisioning templates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::time::EpochSeconds;
use crate::provisioning::Template;

/// The type of a provisioning template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TemplateType {
    /// Fleet provisioning by claim.
    FleetProvisioning,
    /// Just-in-time provisioning.
    Jitp,
}

/// A provisioning template with its versions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProvisioningTemplate {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Whether it may be used.
    pub enabled: bool,
    /// The type.
    #[serde(rename = "type")]
    pub kind: TemplateType,
    /// The role that is used for provisioning.
    pub role_arn: String,
    /// The function that decides whether a device may be provisioned.
    #[serde(default)]
    pub pre_provisioning_hook: Option<PreProvisioningHook>,
    /// Its versions by number, each with its creation time.
    pub versions: BTreeMap<u32, (Template, EpochSeconds)>,
    /// The number of the default version.
    pub default_version: u32,
    /// When it was created.
    pub created: EpochSeconds,
    /// When it was last changed.
    pub modified: EpochSeconds,
}

impl ProvisioningTemplate {
    /// Creates an enabled template with one version. `created` is in seconds since 1970.
    pub fn new(name: &str, kind: TemplateType, role_arn: &str, template: Template, created: EpochSeconds) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            enabled: true,
            kind,
            role_arn: role_arn.to_owned(),
            pre_provisioning_hook: None,
            versions: BTreeMap::from([(1, (template, created))]),
            default_version: 1,
            created,
            modified: created,
        }
    }

    /// Returns the default version.
    pub fn in_force(&self) -> Option<&Template> {
        self.versions.get(&self.default_version).map(|(template, _)| template)
    }
}

/// The pre-provisioning hook of a template.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreProvisioningHook {
    /// The version of the event's format.
    #[serde(default = "payload_version")]
    pub payload_version: String,
    /// The ARN of the function.
    pub target_arn: String,
}

impl PreProvisioningHook {
    /// Creates a hook that calls this function.
    pub fn new(target_arn: String) -> Self {
        Self {
            payload_version: payload_version(),
            target_arn,
        }
    }
}

/// Returns the only version that exists (API reference, ProvisioningHook).
fn payload_version() -> String {
    "2020-04-01".to_owned()
}

/// The plan for fleet provisioning with a template.
#[derive(Debug, Clone)]
pub(crate) struct FleetPlan {
    pub(crate) registration: RegistrationPlan,
    /// The ARN of the pre-provisioning hook.
    pub(crate) hook: Option<String>,
}

/// The plan for registering a certificate.
#[derive(Debug, Clone)]
pub(crate) struct RegistrationPlan {
    pub(crate) template: Template,
    /// The role to use; `None` if none is required.
    pub(crate) role_arn: Option<String>,
}
