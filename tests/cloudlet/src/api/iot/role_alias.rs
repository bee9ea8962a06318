//! Role aliases.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::page::{Dialect, page};
use crate::Error;
use crate::account::{Account, Refusal, RoleAlias, now};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_arn: Option<String>,
    credential_duration_seconds: Option<u64>,
}

pub(super) fn create(call: &Call<'_>) -> Result<Value, Error> {
    let body: Properties = call.body()?;
    let role_arn = body.role_arn.ok_or_else(|| Refusal::invalid("roleArn is required"))?;
    let duration = body.credential_duration_seconds;
    let alias =
        RoleAlias::new(call.resource(), role_arn).lasting(duration.unwrap_or(RoleAlias::DEFAULT_DURATION_SECONDS));
    call.change(|account| {
        account.role_aliases.create(alias)?;
        Ok(named(call, account))
    })
}

fn named(call: &Call<'_>, account: &Account) -> Value {
    json!({ "roleAlias": call.resource(), "roleAliasArn": account.iot_arn("rolealias", call.resource()) })
}

pub(super) fn describe(call: &Call<'_>) -> Result<Value, Error> {
    call.read_account(|account| {
        let alias = account.role_aliases.existing(call.resource())?;
        Ok(json!({ "roleAliasDescription": {
            "roleAlias": alias.name,
            "roleAliasArn": account.iot_arn("rolealias", &alias.name),
            "roleArn": alias.role_arn,
            "owner": account.id(),
            "credentialDurationSeconds": alias.duration_seconds,
            "creationDate": alias.created,
            "lastModifiedDate": alias.modified,
        }}))
    })
}

pub(super) fn update(call: &Call<'_>) -> Result<Value, Error> {
    let body: Properties = call.body()?;
    call.change(|account| {
        let mut alias = account.role_aliases.existing(call.resource())?.clone();
        alias.role_arn = body.role_arn.unwrap_or(alias.role_arn);
        alias.duration_seconds = body.credential_duration_seconds.unwrap_or(alias.duration_seconds);
        alias.modified = now();
        account.role_aliases.put(alias)?;
        Ok(named(call, account))
    })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Value, Error> {
    call.change(|account| {
        account.role_aliases.delete(call.resource())?;
        Ok(json!({}))
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Error> {
    let aliases = call.read_account(|account| account.role_aliases.iter().map(|alias| json!(alias.name)).collect());
    page(call, Dialect::Marker, "roleAliases", aliases)
}
