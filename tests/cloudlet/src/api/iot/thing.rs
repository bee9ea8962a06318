//! Things and the certificates attached to them; RegisterThing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::certificate;
use super::page::{Dialect, page};
use crate::Error;
use crate::account::{Account, Refusal, RefusalKind, Thing};
use crate::json::joined;
use crate::provisioning::{Plan, Template, register};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct AttributePayload {
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    merge: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    thing_type_name: Option<String>,
    attribute_payload: Option<AttributePayload>,
    billing_group_name: Option<String>,
    expected_version: Option<u64>,
    #[serde(default)]
    remove_thing_type: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    template_body: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

pub(super) fn create(call: &Call<'_>) -> Result<Value, Error> {
    let body: Properties = call.body()?;
    let thing = Thing {
        attributes: body.attribute_payload.unwrap_or_default().attributes,
        thing_type: body.thing_type_name,
        billing_group: body.billing_group_name,
        ..Thing::new(call.resource())
    };
    call.change(|account| {
        account.registry.create_thing(thing)?;
        Ok(json!({
            "thingName": call.resource(),
            "thingArn": account.iot_arn("thing", call.resource()),
            "thingId": account.thing_id(call.resource()),
        }))
    })
}

pub(super) fn describe(call: &Call<'_>) -> Result<Value, Error> {
    call.read_account(|account| {
        let thing = account.registry.existing_thing(call.resource())?;
        let more = json!({
            "defaultClientId": thing.name,
            "thingId": account.thing_id(&thing.name),
            "billingGroupName": thing.billing_group,
        });
        let description = joined(summary(account, thing), more);
        Ok(description)
    })
}

pub(super) fn update(call: &Call<'_>) -> Result<Value, Error> {
    let body: Properties = call.body()?;
    call.change(|account| {
        let mut thing = account.registry.existing_thing(call.resource())?.clone();
        check_version(&thing, body.expected_version)?;
        if let Some(payload) = body.attribute_payload {
            match payload.merge {
                true => thing.attributes.extend(payload.attributes),
                false => thing.attributes = payload.attributes,
            }
            // API reference, UpdateThing: an attribute with an empty value is removed.
            thing.attributes.retain(|_, value| !value.is_empty());
        }
        if body.remove_thing_type {
            thing.thing_type = None;
        } else if body.thing_type_name.is_some() {
            thing.thing_type = body.thing_type_name;
        }
        account.registry.put_thing(thing)?;
        Ok(json!({}))
    })
}

fn check_version(thing: &Thing, expected: Option<u64>) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != thing.version => {
            let message = format!("Thing {} has version {}, not {expected}", thing.name, thing.version);
            Err(Refusal::new(RefusalKind::VersionConflict, message).into())
        }
        _ => Ok(()),
    }
}

pub(super) fn delete(call: &Call<'_>) -> Result<Value, Error> {
    call.change(|account| {
        account.delete_thing(call.resource())?;
        Ok(json!({}))
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Error> {
    let things = call.read_account(|account| {
        let wanted = |thing: &&Thing| {
            let of_type = call.query("thingTypeName");
            let attribute = (call.query("attributeName"), call.query("attributeValue"));
            of_type.is_none_or(|wanted| thing.thing_type.as_deref() == Some(wanted))
                && match attribute {
                    (Some(name), Some(value)) => thing.attributes.get(name).is_some_and(|known| known == value),
                    (Some(name), None) => thing.attributes.contains_key(name),
                    (None, _) => true,
                }
        };
        account
            .registry
            .things()
            .filter(wanted)
            .map(|thing| summary(account, thing))
            .collect()
    });
    page(call, Dialect::Token, "things", things)
}

fn summary(account: &Account, thing: &Thing) -> Value {
    json!({
        "thingName": thing.name,
        "thingTypeName": thing.thing_type,
        "thingArn": account.iot_arn("thing", &thing.name),
        "attributes": thing.attributes,
        "version": thing.version,
    })
}

pub(super) fn principals(call: &Call<'_>) -> Result<Value, Error> {
    let principals = call.read_account(|account| {
        let name = &account.registry.existing_thing(call.resource())?.name;
        let attached = account
            .certificates
            .iter()
            .filter(|certificate| certificate.things.contains(name));
        let arns = attached.map(|certificate| json!(certificate::arn(account, &certificate.id)));
        Ok::<_, Error>(arns.collect())
    })?;
    page(call, Dialect::Token, "principals", principals)
}

pub(super) fn of_principal(call: &Call<'_>) -> Result<Value, Error> {
    let things = call.read_account(|account| {
        let certificate = account.certificate_named(call.header("x-amzn-principal")?)?;
        Ok::<_, Error>(certificate.things.iter().map(|name| json!(name)).collect())
    })?;
    page(call, Dialect::Token, "things", things)
}

pub(super) fn attach_principal(call: &Call<'_>) -> Result<Value, Error> {
    call.change(|account| {
        let id = account.certificate_named(call.header("x-amzn-principal")?)?.id.clone();
        account.attach_thing(&id, call.resource())?;
        Ok(json!({}))
    })
}

pub(super) fn detach_principal(call: &Call<'_>) -> Result<Value, Error> {
    call.change(|account| {
        let id = account.certificate_named(call.header("x-amzn-principal")?)?.id.clone();
        account.registry.existing_thing(call.resource())?;
        account.certificates.detach_thing(&id, call.resource())?;
        Ok(json!({}))
    })
}

pub(super) fn register_by_template(call: &Call<'_>) -> Result<Value, Error> {
    let body: Registration = call.body()?;
    let plan = Plan::from_template(&Template::parse(&body.template_body)?, &body.parameters)?;
    call.change(|account| {
        let registered = register(account, &plan)?;
        let certificate = account.certificates.get(&registered.certificate);
        Ok(json!({
            "certificatePem": certificate.and_then(|certificate| certificate.pem.clone()),
            "resourceArns": registered.arns,
        }))
    })
}
