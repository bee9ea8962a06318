//! Attaching policies to certificates, with the current and the deprecated operations.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::certificate;
use super::page::{Dialect, page};
use super::policy::reference;
use crate::Error;

/// The header that names the certificate in the deprecated operations.
const PRINCIPAL: &str = "x-amzn-iot-principal";
/// The header that names the policy in ListPolicyPrincipals.
const POLICY: &str = "x-amzn-iot-policy";

#[derive(Deserialize)]
struct Target {
    target: String,
}

pub(super) fn attach(call: &Call<'_>) -> Result<Value, Error> {
    set(call, &call.body::<Target>()?.target, true)
}

pub(super) fn detach(call: &Call<'_>) -> Result<Value, Error> {
    set(call, &call.body::<Target>()?.target, false)
}

pub(super) fn attach_principal(call: &Call<'_>) -> Result<Value, Error> {
    set(call, call.header(PRINCIPAL)?, true)
}

pub(super) fn detach_principal(call: &Call<'_>) -> Result<Value, Error> {
    set(call, call.header(PRINCIPAL)?, false)
}

/// Attaches a policy to a certificate or detaches it. Other targets (Amazon Cognito identities, thing groups) are not supported.
fn set(call: &Call<'_>, certificate: &str, attached: bool) -> Result<Value, Error> {
    call.change(|account| {
        let id = account.certificate_named(certificate)?.id.clone();
        match attached {
            true => account.attach_policy(&id, call.resource())?,
            false => account.detach_policy(&id, call.resource())?,
        }
        Ok(json!({}))
    })
}

pub(super) fn policies_of_target(call: &Call<'_>) -> Result<Value, Error> {
    policies(call, call.resource())
}

pub(super) fn policies_of_principal(call: &Call<'_>) -> Result<Value, Error> {
    policies(call, call.header(PRINCIPAL)?)
}

fn policies(call: &Call<'_>, certificate: &str) -> Result<Value, Error> {
    let policies = call.read_account(|account| {
        let names = account.certificate_named(certificate)?.policies.iter();
        Ok::<_, Error>(names.map(|name| reference(account, name)).collect())
    })?;
    page(call, Dialect::Marker, "policies", policies)
}

pub(super) fn targets_of_policy(call: &Call<'_>) -> Result<Value, Error> {
    page(call, Dialect::Marker, "targets", holders(call, call.resource())?)
}

pub(super) fn principals_of_policy(call: &Call<'_>) -> Result<Value, Error> {
    page(
        call,
        Dialect::Marker,
        "principals",
        holders(call, call.header(POLICY)?)?,
    )
}

fn holders(call: &Call<'_>, policy: &str) -> Result<Vec<Value>, Error> {
    call.read_account(|account| {
        account.policies.existing(policy)?;
        let holders = account
            .certificates
            .iter()
            .filter(|certificate| certificate.policies.contains(policy));
        Ok(holders
            .map(|certificate| json!(certificate::arn(account, &certificate.id)))
            .collect())
    })
}
