//! Checks a configuration that another version accepted, and leaves out what this version does not accept. The gateway keeps its
//! identity, and no caller gets more rights than the rules granted.
//!
//! Unknown keys and invalid values of `[mqtt]`, `[loopback]` and `[local-mqtt]` are left out. An invalid role alias or access rule is left out
//! as a whole, because a rule without one of its conditions would apply to more callers. Known keys of `[aws]`, `[token]` and
//! `[identity]` are never left out, because their defaults would mean another gateway or another cloud.

use toml::{Table, Value};

use super::check::{self, Fault};
use super::files::{Loaded, is_appended};
use super::merged::Merged;
use super::raw::Raw;
use super::toml_fault;
use super::{Config, Folders};

/// The tables in which an invalid value may be replaced by the default.
const WITH_HARMLESS_DEFAULTS: [&str; 3] = ["mqtt", "loopback", "local-mqtt"];

/// Checks `merged`, and returns the configuration and the parts that were left out, a line each.
///
/// # Errors
/// With the faults that cannot be left out.
pub(super) fn check(mut merged: Merged, folders: &Folders) -> Result<(Config, Vec<String>), Vec<String>> {
    let mut left_out = Vec::new();
    leave_out_unknown(&mut merged, &mut left_out)?;
    // Each round leaves something out, so the loop ends.
    loop {
        let raw: Raw = merged
            .table
            .clone()
            .try_into()
            .map_err(|error| vec![toml_fault::describe(&error)])?;
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

/// Leaves out keys and types that this version does not know.
fn leave_out_unknown(merged: &mut Merged, left_out: &mut Vec<String>) -> Result<(), Vec<String>> {
    let Some(main) = find_refusal(&merged.table) else {
        return Ok(());
    };
    let names: Vec<String> = merged.table.keys().cloned().collect();
    for name in names {
        let Some(value) = merged.table.remove(&name) else {
            continue;
        };
        let of_table = |value: &Value| find_refusal(&Table::from_iter([(name.clone(), value.clone())]));
        let value = match value {
            Value::Array(items) if is_appended(&name) => {
                merged.table.insert(name.clone(), Value::Array(items.clone()));
                for (index, item) in items.iter().enumerate().rev() {
                    if let Some(why) = of_table(&Value::Array(vec![item.clone()])) {
                        left_out.push(format!("{name}[{index}]: {why}"));
                        merged.remove_item(&name, index);
                    }
                }
                continue;
            }
            // An empty table is refused only if its name is unknown.
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
    match find_refusal(&merged.table) {
        None => Ok(()),
        Some(_) => Err(vec![main]),
    }
}

/// Removes the refused keys of a table. `within` returns the reason why a table in this place is refused.
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

/// Leaves out the values with faults.
///
/// # Errors
/// With the faults of values that cannot be left out.
fn leave_out(faults: Vec<Fault>, merged: &mut Merged, left_out: &mut Vec<String>) -> Result<(), Vec<String>> {
    let mut items: Vec<(&str, usize)> = Vec::new();
    let mut needed = Vec::new();
    for fault in faults {
        let removed = match (parse_item(&fault.key), fault.key.split_once('.')) {
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
    // Removed from the end, so that the indices of the others stay valid.
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

/// Parses the list and the index in a key such as `access[3].publish`.
fn parse_item(key: &str) -> Option<(&'static str, usize)> {
    let (list, rest) = key.split_once('[')?;
    let (index, _) = rest.split_once(']')?;
    let list = ["access", "role-alias", "credentials-file"]
        .into_iter()
        .find(|name| *name == list)?;
    Some((list, index.parse().ok()?))
}

fn has_harmless_default(key: &str) -> bool {
    key.split_once('.')
        .is_some_and(|(table, _)| WITH_HARMLESS_DEFAULTS.contains(&table))
}

/// Returns the reason why this version refuses a table.
fn find_refusal(table: &Table) -> Option<String> {
    let raw = table.clone().try_into::<Raw>();
    raw.err().map(|error| toml_fault::describe(&error))
}

fn is_unknown(why: &str) -> bool {
    why.starts_with("unknown field") || why.starts_with("an unknown field")
}
