//! Named provisioning templates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::records::{FleetPlan, ProvisioningTemplate, RegistrationPlan, TemplateType};
use super::refusal::Refusal;
use super::time::now;
use crate::Error;

/// The provisioning templates of an account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Templates {
    by_name: BTreeMap<String, ProvisioningTemplate>,
}

impl Templates {
    /// CreateProvisioningTemplate.
    pub fn create(&mut self, template: ProvisioningTemplate) -> Result<(), Error> {
        // API reference, CreateProvisioningTemplate: ^[0-9A-Za-z_-]+$, 1 to 36.
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !(1..=36).contains(&template.name.len()) || !template.name.chars().all(allowed) {
            let message = format!("template name {:?} does not match [0-9A-Za-z_-]{{1,36}}", template.name);
            return Err(Refusal::invalid(message).into());
        }
        if self.by_name.contains_key(&template.name) {
            let message = format!("Provisioning template {} already exists", template.name);
            return Err(Refusal::already_exists(message, "provisioningtemplate", &template.name).into());
        }
        self.by_name.insert(template.name.clone(), template);
        Ok(())
    }

    /// Changes a template: UpdateProvisioningTemplate, and operations on versions.
    pub fn update<T>(
        &mut self,
        name: &str,
        update: impl FnOnce(&mut ProvisioningTemplate) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let template = self.by_name.get_mut(name).ok_or_else(|| not_found(name))?;
        let result = update(template)?;
        template.modified = now();
        Ok(result)
    }

    /// DeleteProvisioningTemplate.
    pub fn delete(&mut self, name: &str) -> Result<(), Error> {
        self.by_name
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| not_found(name).into())
    }

    /// Returns all provisioning templates.
    pub fn iter(&self) -> impl Iterator<Item = &ProvisioningTemplate> {
        self.by_name.values()
    }

    /// Returns a provisioning template.
    pub fn existing(&self, name: &str) -> Result<&ProvisioningTemplate, Error> {
        self.by_name.get(name).ok_or_else(|| not_found(name).into())
    }

    /// Returns the plan for RegisterThing over MQTT.
    pub(crate) fn fleet_plan(&self, name: &str) -> Result<FleetPlan, Error> {
        let template = self.existing(name)?;
        match template.in_force() {
            Some(in_force) if template.enabled && template.kind == TemplateType::FleetProvisioning => Ok(FleetPlan {
                registration: RegistrationPlan {
                    template: in_force.clone(),
                    role_arn: Some(template.role_arn.clone()),
                },
                hook: template
                    .pre_provisioning_hook
                    .as_ref()
                    .map(|hook| hook.target_arn.clone()),
            }),
            _ => Err(Refusal::invalid(format!(
                "Provisioning template {name} is not enabled or not of type FLEET_PROVISIONING"
            ))
            .into()),
        }
    }

    /// Returns the registration plan for a CA's `templateName`.
    pub(crate) fn jitp_plan(&self, name: &str) -> Result<RegistrationPlan, Error> {
        let template = self.existing(name)?;
        match template.in_force() {
            Some(in_force) if template.enabled && template.kind == TemplateType::Jitp => Ok(RegistrationPlan {
                template: in_force.clone(),
                role_arn: Some(template.role_arn.clone()),
            }),
            _ => Err(Refusal::invalid(format!(
                "Provisioning template {name} is not enabled or not of type JITP"
            ))
            .into()),
        }
    }
}

fn not_found(name: &str) -> Refusal {
    Refusal::not_found(format!("Provisioning template {name} does not exist"))
}
