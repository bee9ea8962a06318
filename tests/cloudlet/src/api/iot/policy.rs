//! AWS IoT policies and their versions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::page::{Dialect, page};
use crate::Error;
use crate::policy::Policy;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    policy_document: String,
}

pub(super) fn create(call: &Call<'_>) -> Result<Value, Error> {
    let Document { policy_document } = call.body()?;
    let policy = Policy::new(call.resource(), &policy_document)?;
    call.change(|account| {
        account.policies.create(policy)?;
        Ok(json!({
            "policyName": call.resource(),
            "policyArn": account.iot_arn("policy", call.resource()),
            "policyDocument": policy_document,
            "policyVersionId": "1",
        }))
    })
}

pub(super) fn get(call: &Call<'_>) -> Result<Value, Error> {
    call.read_account(|account| {
        let policy = account.policies.existing(call.resource())?;
        let created = policy.versions().values().map(|version| version.created);
        Ok(json!({
            "policyName": call.resource(),
            "policyArn": account.iot_arn("policy", call.resource()),
            "policyDocument": policy.in_force().map(Policy::document),
            "defaultVersionId": policy.default_version().to_string(),
            "creationDate": created.clone().min(),
            "lastModifiedDate": created.max(),
        }))
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Error> {
    let policies = call.read_account(|account| {
        let names = account.policies.all().keys();
        names.map(|name| reference(account, name)).collect()
    });
    page(call, Dialect::Marker, "policies", policies)
}

/// Returns a policy's entry in a list.
pub(super) fn reference(account: &crate::account::Account, name: &str) -> Value {
    json!({ "policyName": name, "policyArn": account.iot_arn("policy", name) })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Value, Error> {
    call.change(|account| {
        account.delete_policy(call.resource())?;
        Ok(json!({}))
    })
}

pub(super) fn create_version(call: &Call<'_>) -> Result<Value, Error> {
    let Document { policy_document } = call.body()?;
    let policy = Policy::new(call.resource(), &policy_document)?;
    let set_as_default = call.flag("setAsDefault")?;
    call.change(|account| {
        let version = account.policies.create_version(policy, set_as_default)?;
        Ok(json!({
            "policyArn": account.iot_arn("policy", call.resource()),
            "policyDocument": policy_document,
            "policyVersionId": version.to_string(),
            "isDefaultVersion": set_as_default,
        }))
    })
}

pub(super) fn get_version(call: &Call<'_>) -> Result<Value, Error> {
    let number = call.number(3)?;
    call.read_account(|account| {
        let version = account.policies.version(call.resource(), number)?;
        let default = account.policies.existing(call.resource())?.default_version();
        Ok(json!({
            "policyName": call.resource(),
            "policyArn": account.iot_arn("policy", call.resource()),
            "policyDocument": version.policy.document(),
            "policyVersionId": number.to_string(),
            "isDefaultVersion": number == default,
            "creationDate": version.created,
            "lastModifiedDate": version.created,
        }))
    })
}

pub(super) fn list_versions(call: &Call<'_>) -> Result<Value, Error> {
    call.read_account(|account| {
        let policy = account.policies.existing(call.resource())?;
        let versions = policy.versions().iter().rev().map(|(number, version)| {
            json!({
                "versionId": number.to_string(),
                "isDefaultVersion": *number == policy.default_version(),
                "createDate": version.created,
            })
        });
        Ok(json!({ "policyVersions": versions.collect::<Vec<_>>() }))
    })
}

pub(super) fn set_default_version(call: &Call<'_>) -> Result<Value, Error> {
    let number = call.number(3)?;
    call.change(|account| {
        account.policies.set_default_version(call.resource(), number)?;
        Ok(json!({}))
    })
}

pub(super) fn delete_version(call: &Call<'_>) -> Result<Value, Error> {
    let number = call.number(3)?;
    call.change(|account| {
        account.policies.delete_version(call.resource(), number)?;
        Ok(json!({}))
    })
}
