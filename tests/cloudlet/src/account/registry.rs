//! The registry: things with their types and groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::records::{Named, Thing};
use super::refusal::{Refusal, RefusalKind};
use super::time::now;
use crate::Error;

/// Maximum length of the name of a thing, a type or a group (quotas; API reference, CreateThing).
const MAX_NAME: usize = 128;
/// Maximum number of attributes of a thing without a type (quotas: 3; with a type 50).
const MAX_ATTRIBUTES_WITHOUT_TYPE: usize = 3;
/// Maximum number of attributes of a thing with a type.
const MAX_ATTRIBUTES: usize = 50;

/// Checks a name. API reference, CreateThing: `[a-zA-Z0-9:_-]+`. JITP fails here for a common name with a dot or a space.
fn check_name(what: &str, name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(allowed) {
        return Err(Refusal::invalid(format!(
            "{what} name {name:?} does not match [a-zA-Z0-9:_-]{{1,{MAX_NAME}}}"
        ))
        .into());
    }
    Ok(())
}

/// Checks attributes. API reference, AttributePayload: names `[a-zA-Z0-9_.,@/:#-]+`, values `[a-zA-Z0-9_.,@/:#=\[\]-]*`.
fn check_attributes(thing: &Thing) -> Result<(), Error> {
    let allowed = |c: char, more: &str| c.is_ascii_alphanumeric() || "_.,@/:#-".contains(c) || more.contains(c);
    for (name, value) in &thing.attributes {
        let name_fits = (1..=128).contains(&name.len()) && name.chars().all(|c| allowed(c, ""));
        if !name_fits || value.len() > 800 || !value.chars().all(|c| allowed(c, "=[]")) {
            return Err(Refusal::invalid(format!("attribute {name:?} or its value {value:?} is not allowed")).into());
        }
    }
    let most = match thing.thing_type {
        Some(_) => MAX_ATTRIBUTES,
        None => MAX_ATTRIBUTES_WITHOUT_TYPE,
    };
    if thing.attributes.len() > most {
        return Err(Refusal::invalid(format!("a thing like {} has at most {most} attributes", thing.name)).into());
    }
    Ok(())
}

/// The registry of an account: things, their types and their groups.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Registry {
    things: BTreeMap<String, Thing>,
    thing_types: BTreeMap<String, Named>,
    thing_groups: BTreeMap<String, Named>,
}

impl Registry {
    /// Adds a thing, or replaces the one with the same name.
    pub fn put_thing(&mut self, thing: Thing) -> Result<(), Error> {
        check_name("thing", &thing.name)?;
        check_attributes(&thing)?;
        if let Some(name) = &thing.thing_type
            && !self.thing_types.contains_key(name)
        {
            return Err(Refusal::not_found(format!("Thing type {name} does not exist")).into());
        }
        if let Some(name) = thing.groups.iter().find(|name| !self.thing_groups.contains_key(*name)) {
            return Err(Refusal::not_found(format!("Thing group {name} does not exist")).into());
        }
        let version = self.thing(&thing.name).map_or(1, |known| known.version + 1);
        self.things.insert(thing.name.clone(), Thing { version, ..thing });
        Ok(())
    }

    /// CreateThing. Creating an identical thing again is not an error, but a different one with the same name is.
    pub fn create_thing(&mut self, thing: Thing) -> Result<(), Error> {
        if let Some(known) = self.thing(&thing.name) {
            let same = known.attributes == thing.attributes && known.thing_type == thing.thing_type;
            if same {
                return Ok(());
            }
            let message = format!(
                "Thing {} already exists in account with different attributes",
                thing.name
            );
            return Err(Refusal::already_exists(message, "thing", &thing.name).into());
        }
        self.put_thing(thing)
    }

    /// DeleteThing. Its certificates must have been detached; `is_attached` tells whether one has not.
    pub(super) fn delete_thing(&mut self, name: &str, is_attached: bool) -> Result<(), Error> {
        self.existing_thing(name)?;
        if is_attached {
            let message = format!("Thing {name} still has a principal attached");
            return Err(Refusal::invalid(message).into());
        }
        self.things.remove(name);
        Ok(())
    }

    /// Returns all things.
    pub fn things(&self) -> impl Iterator<Item = &Thing> {
        self.things.values()
    }

    /// Returns a thing.
    pub fn thing(&self, name: &str) -> Option<&Thing> {
        self.things.get(name)
    }

    /// Returns a thing, or AWS's error.
    pub fn existing_thing(&self, name: &str) -> Result<&Thing, Error> {
        self.thing(name)
            .ok_or_else(|| Refusal::not_found(format!("Thing {name} does not exist")).into())
    }

    /// CreateThingType.
    pub fn create_thing_type(&mut self, name: &str, description: Option<String>) -> Result<(), Error> {
        check_name("thing type", name)?;
        if self.thing_types.contains_key(name) {
            let message = format!("Thing type {name} already exists");
            return Err(Refusal::already_exists(message, "thingtype", name).into());
        }
        self.thing_types.insert(name.to_owned(), named(name, description));
        Ok(())
    }

    /// Returns all thing types.
    pub fn thing_types(&self) -> &BTreeMap<String, Named> {
        &self.thing_types
    }

    /// CreateThingGroup. Creating an identical group again is not an error.
    pub fn create_thing_group(&mut self, name: &str, description: Option<String>) -> Result<(), Error> {
        check_name("thing group", name)?;
        if let Some(known) = self.thing_groups.get(name) {
            if known.description == description {
                return Ok(());
            }
            let message = format!("Thing group {name} already exists");
            return Err(Refusal::already_exists(message, "thinggroup", name).into());
        }
        self.thing_groups.insert(name.to_owned(), named(name, description));
        Ok(())
    }

    /// DeleteThingGroup.
    pub fn delete_thing_group(&mut self, name: &str) -> Result<(), Error> {
        self.existing_group(name)?;
        if self.things().any(|thing| thing.groups.contains(name)) {
            let message = format!("Thing group {name} is not empty");
            return Err(Refusal::new(RefusalKind::DeleteConflict, message).into());
        }
        self.thing_groups.remove(name);
        Ok(())
    }

    /// Returns all thing groups.
    pub fn thing_groups(&self) -> &BTreeMap<String, Named> {
        &self.thing_groups
    }

    /// AddThingToThingGroup and RemoveThingFromThingGroup.
    pub fn set_thing_in_group(&mut self, thing: &str, group: &str, is_member: bool) -> Result<(), Error> {
        self.existing_group(group)?;
        self.existing_thing(thing)?;
        if let Some(thing) = self.things.get_mut(thing) {
            match is_member {
                true => thing.groups.insert(group.to_owned()),
                false => thing.groups.remove(group),
            };
        }
        Ok(())
    }

    /// Returns a thing group, or AWS's error.
    pub fn existing_group(&self, name: &str) -> Result<&Named, Error> {
        self.thing_groups
            .get(name)
            .ok_or_else(|| Refusal::not_found(format!("Thing group {name} does not exist")).into())
    }
}

fn named(name: &str, description: Option<String>) -> Named {
    Named {
        name: name.to_owned(),
        description,
        created: now(),
    }
}
