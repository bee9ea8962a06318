//! Reads a configuration that was good for another version: what this one does not take is left out, as long as the gateway
//! stays who it is and nobody gets more than the rules gave.
//!
//! Unknown keys are left out, values of `[mqtt]` and `[loopback]` that cannot be used, and role aliases and access rules as
//! a whole: a rule without one of its conditions would be for more callers. Nothing that is known of `[aws]`, `[token]` and
//! `[identity]` is: the defaults there would be another gateway, or another cloud.

use toml::{Table, Value};

use super::check::{self, Fault};
use super::load::{Loaded, Merged, grows};
use super::raw::Raw;
use super::toml_fault;
use super::{Config, Folders};

/// Tables in which a value that cannot be used gives way to the default.
const WITH_HARMLESS_DEFAULTS: [&str; 2] = ["mqtt", "loopback"];

/// The configuration and what was left out of it, a line each.
///
/// # Errors
/// With what is wrong and cannot be left out.
pub(super) fn check(mut merged: Merged, folders: &Folders) -> Result<(Config, Vec<String>), Vec<String>> {
    let mut left_out = Vec::new();
    leave_out_unknown(&mut merged, &mut left_out)?;
    // Each round leaves something out, so there is an end to it.
    loop {
        let raw: Raw = merged
            .table
            .clone()
            .try_into()
            .map_err(|error| vec![toml_fault::reason(&error)])?;
        let loaded = Loaded {
            raw,
            merged: merged.clone(),
        };
        match check::check(loaded, folders, false) {
            Ok(config) => return Ok((config, left_out)),
            Err(faults) => leave_out(faults, &mut merged, &mut left_out)?,
        }
    }
}

/// Leaves out what this version's tables have no place for.
fn leave_out_unknown(merged: &mut Merged, left_out: &mut Vec<String>) -> Result<(), Vec<String>> {
    let Some(main) = refused(&merged.table) else {
        return Ok(());
    };
    let names: Vec<String> = merged.table.keys().cloned().collect();
    for name in names {
        let Some(value) = merged.table.remove(&name) else {
            continue;
        };
        let of_table = |value: &Value| refused(&Table::from_iter([(name.clone(), value.clone())]));
        let value = match value {
            Value::Array(items) if grows(&name) => {
                merged.table.insert(name.clone(), Value::Array(items.clone()));
                for (index, item) in items.iter().enumerate().rev() {
                    if let Some(why) = of_table(&Value::Array(vec![item.clone()])) {
                        left_out.push(format!("{name}[{index}]: {why}"));
                        merged.remove_item(&name, index);
                    }
                }
                continue;
            }
            // An empty table is refused only where there is no such table.
            Value::Table(table) if of_table(&Value::Table(Table::new())).is_none() => {
                let within = |table: Table| of_table(&Value::Table(table));
                Value::Table(prune(table, &name, &within, left_out)?)
            }
            other => match of_table(&other) {
                None => other,
                Some(why) => {
                    left_out.push(format!("{name}: {why}"));
                    continue;
                }
            },
        };
        merged.table.insert(name, value);
    }
    match refused(&merged.table) {
        None => Ok(()),
        Some(_) => Err(vec![main]),
    }
}

/// A table without the keys that are refused; `within` says why a table in this place is.
fn prune(
    table: Table,
    path: &str,
    within: &dyn Fn(Table) -> Option<String>,
    left_out: &mut Vec<String>,
) -> Result<Table, Vec<String>> {
    let mut pruned = Table::new();
    for (name, value) in table {
        let key = format!("{path}.{name}");
        let alone = |value: Value| within(Table::from_iter([(name.clone(), value)]));
        match (alone(value.clone()), value) {
            (None, value) => {
                pruned.insert(name, value);
            }
            (Some(_), Value::Table(inner)) if alone(Value::Table(Table::new())).is_none() => {
                let inner = prune(inner, &key, &|table| alone(Value::Table(table)), left_out)?;
                pruned.insert(name, Value::Table(inner));
            }
            (Some(why), _) if is_unknown(&why) || has_harmless_default(&key) => left_out.push(format!("{key}: {why}")),
            (Some(why), _) => return Err(vec![format!("{key}: {why}")]),
        }
    }
    Ok(pruned)
}

/// Leaves out what the checks have found, or says what cannot be left out.
fn leave_out(faults: Vec<Fault>, merged: &mut Merged, left_out: &mut Vec<String>) -> Result<(), Vec<String>> {
    let mut items: Vec<(&str, usize)> = Vec::new();
    let mut needed = Vec::new();
    for fault in faults {
        let removed = match (item(&fault.key), fault.key.split_once('.')) {
            (Some(item), _) => {
                items.push(item);
                true
            }
            (None, Some((table, name))) if has_harmless_default(&fault.key) => {
                let table = merged.table.get_mut(table).and_then(Value::as_table_mut);
                table.is_some_and(|table| table.remove(name).is_some())
            }
            _ => false,
        };
        match removed {
            true => left_out.push(fault.message),
            false => needed.push(fault.message),
        }
    }
    // From the end, so that the places of those before stay as they are.
    items.sort_unstable();
    items.dedup();
    for (list, index) in items.into_iter().rev() {
        merged.remove_item(list, index);
    }
    match needed.is_empty() {
        true => Ok(()),
        false => Err(needed),
    }
}

/// The list and the place in it, of a key such as `access[3].publish`.
fn item(key: &str) -> Option<(&'static str, usize)> {
    let (list, rest) = key.split_once('[')?;
    let (index, _) = rest.split_once(']')?;
    let list = ["access", "role-alias"].into_iter().find(|name| *name == list)?;
    Some((list, index.parse().ok()?))
}

fn has_harmless_default(key: &str) -> bool {
    key.split_once('.')
        .is_some_and(|(table, _)| WITH_HARMLESS_DEFAULTS.contains(&table))
}

/// Why a table is none of this version's.
fn refused(table: &Table) -> Option<String> {
    let outcome = table.clone().try_into::<Raw>();
    outcome.err().map(|error| toml_fault::reason(&error))
}

fn is_unknown(why: &str) -> bool {
    why.starts_with("unknown field") || why.starts_with("an unknown field")
}
