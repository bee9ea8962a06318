//! Thing types and thing groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::page::{Dialect, page};
use crate::Error;
use crate::account::{Account, Named, Refusal};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewType {
    thing_type_properties: Option<TypeProperties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeProperties {
    thing_type_description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewGroup {
    thing_group_properties: Option<GroupProperties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupProperties {
    thing_group_description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Membership {
    thing_group_name: Option<String>,
    thing_name: Option<String>,
}

pub(super) fn create_type(call: &Call<'_>) -> Result<Value, Error> {
    let body: NewType = call.body()?;
    let description = body
        .thing_type_properties
        .and_then(|properties| properties.thing_type_description);
    call.change(|account| {
        account.registry.create_thing_type(call.resource(), description)?;
        let arn = account.iot_arn("thingtype", call.resource());
        Ok(json!({ "thingTypeName": call.resource(), "thingTypeArn": arn }))
    })
}

pub(super) fn describe_type(call: &Call<'_>) -> Result<Value, Error> {
    call.read_account(|account| {
        let known = account.registry.thing_types().get(call.resource());
        let known =
            known.ok_or_else(|| Refusal::not_found(format!("Thing type {} does not exist", call.resource())))?;
        Ok(type_description(account, known))
    })
}

pub(super) fn list_types(call: &Call<'_>) -> Result<Value, Error> {
    let types = call.read_account(|account| {
        let types = account.registry.thing_types().values();
        types.map(|known| type_description(account, known)).collect()
    });
    page(call, Dialect::Token, "thingTypes", types)
}

fn type_description(account: &Account, known: &Named) -> Value {
    json!({
        "thingTypeName": known.name,
        "thingTypeArn": account.iot_arn("thingtype", &known.name),
        "thingTypeProperties": { "thingTypeDescription": known.description },
        "thingTypeMetadata": { "deprecated": false, "creationDate": known.created },
    })
}

pub(super) fn create(call: &Call<'_>) -> Result<Value, Error> {
    let body: NewGroup = call.body()?;
    let description = body
        .thing_group_properties
        .and_then(|properties| properties.thing_group_description);
    call.change(|account| {
        account.registry.create_thing_group(call.resource(), description)?;
        let arn = account.iot_arn("thinggroup", call.resource());
        Ok(json!({ "thingGroupName": call.resource(), "thingGroupArn": arn }))
    })
}

pub(super) fn describe(call: &Call<'_>) -> Result<Value, Error> {
    call.read_account(|account| {
        let known = account.registry.existing_group(call.resource())?;
        Ok(json!({
            "thingGroupName": known.name,
            "thingGroupArn": account.iot_arn("thinggroup", &known.name),
            "version": 1,
            "thingGroupProperties": { "thingGroupDescription": known.description },
            "thingGroupMetadata": { "creationDate": known.created },
        }))
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Error> {
    let groups = call.read_account(|account| {
        let names = account.registry.thing_groups().keys();
        names.map(|name| reference(account, name)).collect()
    });
    page(call, Dialect::Token, "thingGroups", groups)
}

pub(super) fn of_thing(call: &Call<'_>) -> Result<Value, Error> {
    let groups = call.read_account(|account| {
        let names = account.registry.existing_thing(call.resource())?.groups.iter();
        Ok::<_, Error>(names.map(|name| reference(account, name)).collect())
    })?;
    page(call, Dialect::Token, "thingGroups", groups)
}

pub(super) fn things(call: &Call<'_>) -> Result<Value, Error> {
    let things = call.read_account(|account| {
        let group = &account.registry.existing_group(call.resource())?.name;
        let members = account.registry.things().filter(|thing| thing.groups.contains(group));
        Ok::<_, Error>(members.map(|thing| json!(thing.name)).collect())
    })?;
    page(call, Dialect::Token, "things", things)
}

fn reference(account: &Account, name: &str) -> Value {
    json!({ "groupName": name, "groupArn": account.iot_arn("thinggroup", name) })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Value, Error> {
    call.change(|account| {
        account.registry.delete_thing_group(call.resource())?;
        Ok(json!({}))
    })
}

pub(super) fn add_thing(call: &Call<'_>) -> Result<Value, Error> {
    set_membership(call, true)
}

pub(super) fn remove_thing(call: &Call<'_>) -> Result<Value, Error> {
    set_membership(call, false)
}

fn set_membership(call: &Call<'_>, is_member: bool) -> Result<Value, Error> {
    let Membership {
        thing_group_name: Some(group),
        thing_name: Some(thing),
    } = call.body()?
    else {
        return Err(Refusal::invalid("thingName and thingGroupName are required").into());
    };
    call.change(|account| {
        account.registry.set_thing_in_group(&thing, &group, is_member)?;
        Ok(json!({}))
    })
}
