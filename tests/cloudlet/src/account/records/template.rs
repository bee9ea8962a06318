//! Provisioning templates kept under a name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::time::EpochSeconds;
use crate::provisioning::Template;

/// The type of a provisioning template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TemplateType {
    /// Fleet provisioning by claim: kept here, and never carried out.
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
    /// The role it is carried out with.
    pub role_arn: String,
    /// Its versions by number, each with its creation.
    pub versions: BTreeMap<u32, (Template, EpochSeconds)>,
    /// The version in force.
    pub default_version: u32,
    /// When it was created.
    pub created: EpochSeconds,
    /// When it was last changed.
    pub modified: EpochSeconds,
}

impl ProvisioningTemplate {
    /// The template in force.
    pub fn in_force(&self) -> Option<&Template> {
        self.versions.get(&self.default_version).map(|(template, _)| template)
    }
}

/// The instructions for the provisioning of a certificate.
#[derive(Debug, Clone)]
pub(crate) struct RegistrationPlan {
    pub(crate) template: Template,
    /// The role that it is done with; none if nobody is asked.
    pub(crate) role_arn: Option<String>,
}
