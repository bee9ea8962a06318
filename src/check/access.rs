//! What a user may have, and which rule says so.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use nix::unistd::{Uid, User};

use super::report::{Outcome, Report};
use crate::check_config::load;
use crate::local::{Access, Caller, Peer, Wish};
use crate::problem::{Exit, Fatal, Problem};

/// A line for each role alias.
pub fn explain(path: &Path, user: &str, report: &mut Report) -> Result<(), Fatal> {
    let config = load(path)?;
    let (user, uid, gid) = account(user)?;
    let access = Access::new(&config.access);
    let units: BTreeSet<&str> = config
        .access
        .iter()
        .filter_map(|rule| rule.who.unit.as_deref())
        .collect();
    let rule_for = |unit: Option<&str>, alias: &str| {
        let peer = Peer {
            uid,
            gid,
            pid: None,
            unit: unit.map(Arc::from),
        };
        access
            .rule_for(&Caller::Peer(peer), Wish::RoleAlias(alias), "")
            .map(str::to_owned)
    };
    for alias in &config.role_aliases {
        let (name, alias) = (format!("role alias {}", alias.name), alias.name.as_str());
        if let Some(rule) = rule_for(None, alias) {
            report.ok(&name, format!("{user} (uid {uid}) may have it by {rule}"));
            continue;
        }
        let in_units: Vec<String> = units
            .iter()
            .filter_map(|unit| Some(format!("only in {unit}, by {}", rule_for(Some(unit), alias)?)))
            .collect();
        match in_units.is_empty() {
            false => report.ok(&name, in_units.join("\n")),
            true => report.add(
                &name,
                Outcome::Warn,
                format!("{user} (uid {uid}) may not have it: no rule gives it"),
                None,
            ),
        }
    }
    if config.role_aliases.is_empty() {
        report.skip("role aliases", "none is configured");
    }
    Ok(())
}

/// A user by name or by number: its name, number and primary group. A number that nobody has is somebody too: a rule can be
/// about it, but no group is known of it.
fn account(user: &str) -> Result<(String, u32, u32), Fatal> {
    let number = user.parse::<u32>().ok();
    let found = match number {
        Some(uid) => User::from_uid(Uid::from_raw(uid)),
        None => User::from_name(user),
    };
    let why = match (found, number) {
        (Ok(Some(account)), _) => return Ok((account.name, account.uid.as_raw(), account.gid.as_raw())),
        (Ok(None), Some(uid)) => return Ok(("a user without a name".to_owned(), uid, u32::MAX)),
        (Ok(None), None) => format!("there is no user {user:?}"),
        (Err(error), _) => format!("the user {user:?} cannot be looked up: {error}"),
    };
    let step = "getent passwd shows those there are; a number is taken as well";
    Err(Fatal::new(Exit::NoUser, Problem::configuration(why).next(step)))
}
