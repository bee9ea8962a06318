//! Provisioning templates and their versions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::page::{Dialect, page};
use crate::Error;
use crate::account::{Account, PreProvisioningHook, ProvisioningTemplate, Refusal, RefusalKind, TemplateType, now};
use crate::json::joined;
use crate::provisioning::Template;

/// Quotas: maximum number of versions of a provisioning template.
const MAX_VERSIONS: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    template_name: String,
    template_body: String,
    provisioning_role_arn: String,
    description: Option<String>,
    #[serde(default)]
    enabled: bool,
    r#type: Option<TemplateType>,
    pre_provisioning_hook: Option<PreProvisioningHook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    description: Option<String>,
    enabled: Option<bool>,
    default_version_id: Option<u32>,
    provisioning_role_arn: Option<String>,
    pre_provisioning_hook: Option<PreProvisioningHook>,
    #[serde(default)]
    remove_pre_provisioning_hook: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewVersion {
    template_body: String,
}

pub(super) fn create(call: &Call<'_>) -> Result<Value, Error> {
    let new: New = call.body()?;
    let kind = new.r#type.unwrap_or(TemplateType::FleetProvisioning);
    // API reference, CreateProvisioningTemplate: only templates for fleet provisioning have a hook.
    if new.pre_provisioning_hook.is_some() && kind != TemplateType::FleetProvisioning {
        return Err(Refusal::invalid("A template of type JITP has no pre-provisioning hook").into());
    }
    let body = Template::parse(&new.template_body)?;
    let template = ProvisioningTemplate {
        description: new.description,
        enabled: new.enabled,
        pre_provisioning_hook: new.pre_provisioning_hook,
        ..ProvisioningTemplate::new(&new.template_name, kind, &new.provisioning_role_arn, body, now())
    };
    call.change(|account| {
        account.templates.create(template)?;
        let arn = arn(account, &new.template_name);
        Ok(json!({ "templateArn": arn, "templateName": new.template_name, "defaultVersionId": 1 }))
    })
}

pub(super) fn describe(call: &Call<'_>) -> Result<Value, Error> {
    call.read_account(|account| {
        let template = account.templates.existing(call.resource())?;
        let more = json!({
            "defaultVersionId": template.default_version,
            "templateBody": template.in_force().map(Template::body),
            "provisioningRoleArn": template.role_arn,
            "preProvisioningHook": template.pre_provisioning_hook,
        });
        let description = joined(summary(account, template), more);
        Ok(description)
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Error> {
    let templates = call.read_account(|account| {
        let templates = account.templates.iter();
        templates.map(|template| summary(account, template)).collect()
    });
    page(call, Dialect::Token, "templates", templates)
}

fn summary(account: &Account, template: &ProvisioningTemplate) -> Value {
    json!({
        "templateArn": arn(account, &template.name),
        "templateName": template.name,
        "description": template.description,
        "creationDate": template.created,
        "lastModifiedDate": template.modified,
        "enabled": template.enabled,
        "type": template.kind,
    })
}

fn arn(account: &Account, name: &str) -> String {
    account.iot_arn("provisioningtemplate", name)
}

pub(super) fn update(call: &Call<'_>) -> Result<Value, Error> {
    let update: Update = call.body()?;
    call.change(|account| {
        account.templates.update(call.resource(), |template| {
            if let Some(version) = update.default_version_id {
                existing(template, version)?;
                template.default_version = version;
            }
            template.description = update.description.or(template.description.take());
            template.enabled = update.enabled.unwrap_or(template.enabled);
            if update.remove_pre_provisioning_hook {
                template.pre_provisioning_hook = None;
            }
            if let Some(hook) = update.pre_provisioning_hook {
                template.pre_provisioning_hook = Some(hook);
            }
            if let Some(role_arn) = update.provisioning_role_arn {
                template.role_arn = role_arn;
            }
            Ok(json!({}))
        })
    })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Value, Error> {
    call.change(|account| {
        account.templates.delete(call.resource())?;
        Ok(json!({}))
    })
}

pub(super) fn create_version(call: &Call<'_>) -> Result<Value, Error> {
    let body = Template::parse(&call.body::<NewVersion>()?.template_body)?;
    let set_as_default = call.flag("setAsDefault")?;
    call.change(|account| {
        let number = account.templates.update(call.resource(), |template| {
            if template.versions.len() >= MAX_VERSIONS {
                let message = format!("A template has at most {MAX_VERSIONS} versions");
                return Err(Refusal::new(RefusalKind::VersionsLimitExceeded, message).into());
            }
            let number = template.versions.keys().next_back().map_or(1, |latest| latest + 1);
            template.versions.insert(number, (body, now()));
            if set_as_default {
                template.default_version = number;
            }
            Ok(number)
        })?;
        Ok(json!({
            "templateArn": arn(account, call.resource()),
            "templateName": call.resource(),
            "versionId": number,
            "isDefaultVersion": set_as_default,
        }))
    })
}

pub(super) fn describe_version(call: &Call<'_>) -> Result<Value, Error> {
    let number = call.number(3)?;
    call.read_account(|account| {
        let template = account.templates.existing(call.resource())?;
        let (body, created) = existing(template, number)?;
        Ok(json!({
            "versionId": number,
            "creationDate": created,
            "templateBody": body.body(),
            "isDefaultVersion": number == template.default_version,
        }))
    })
}

pub(super) fn list_versions(call: &Call<'_>) -> Result<Value, Error> {
    let versions = call.read_account(|account| {
        let template = account.templates.existing(call.resource())?;
        let versions = template.versions.iter().map(|(number, (_, created))| {
            json!({
                "versionId": number,
                "creationDate": created,
                "isDefaultVersion": *number == template.default_version,
            })
        });
        Ok::<_, Error>(versions.collect())
    })?;
    page(call, Dialect::Token, "versions", versions)
}

pub(super) fn delete_version(call: &Call<'_>) -> Result<Value, Error> {
    let number = call.number(3)?;
    call.change(|account| {
        account.templates.update(call.resource(), |template| {
            existing(template, number)?;
            if number == template.default_version {
                let message = "The default version cannot be deleted";
                return Err(Refusal::new(RefusalKind::DeleteConflict, message).into());
            }
            template.versions.remove(&number);
            Ok(json!({}))
        })
    })
}

fn existing(template: &ProvisioningTemplate, version: u32) -> Result<(&Template, u64), Error> {
    let known = template.versions.get(&version).map(|(body, created)| (body, *created));
    known.ok_or_else(|| {
        let name = &template.name;
        Refusal::not_found(format!("Provisioning template {name} has no version {version}")).into()
    })
}
