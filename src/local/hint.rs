//! The rule that a refused caller is missing, as TOML that an administrator can add to a file.
//!
//! A caller chooses the topic it asks for, so its words reach root's clipboard through this hint. Nothing here is a shell
//! command, and every value is a TOML string whose unusual characters are escaped: pasted into a shell by mistake, it
//! runs nothing that the caller wrote.

use std::path::Path;

use super::access::Permission;
use super::peer::Peer;
use crate::config::{self, RuleText, Selectors};
use crate::topic::THING;
use crate::user_accounts::UserAccounts;

/// The users that systemd gives to services with `DynamicUser=` and takes back (systemd.exec(5)).
const DYNAMIC_USERS: std::ops::RangeInclusive<u32> = 61_184..=65_519;
/// The drop-in that hints name; whoever has one already adds to it.
const FILE: &str = "access.toml";

/// Whether systemd may give this user to another service later.
pub fn is_dynamic(uid: u32) -> bool {
    DYNAMIC_USERS.contains(&uid)
}

/// The rule that would give `peer` what it wants and nothing else, below a comment that says where to put it; a comment alone
/// where there is no such rule. It names the user where `accounts` knows the name. `drop_ins` is the folder of the configuration
/// that is in use, and `thing` this gateway's thing name, empty where it is not known.
pub fn missing_rule(
    peer: &Peer,
    accounts: &UserAccounts,
    permission: Permission,
    thing: &str,
    drop_ins: &Path,
) -> String {
    let value = match grantable(permission, thing) {
        Ok(value) => value,
        Err(why) => return format!("# {why}"),
    };
    let unit = peer.unit.as_ref().filter(|unit| config::is_unit_name(unit));
    let mut who = Selectors::default();
    match (unit, is_dynamic(peer.uid)) {
        (Some(unit), true) => who.unit = Some(unit.to_string()),
        (None, true) => {
            return format!(
                "# uid {} is one that systemd gives to another service later, so no rule should name it: give the \
                 service's unit, as in unit = \"NAME.service\"",
                peer.uid
            );
        }
        (_, false) => match accounts.name(peer.uid).filter(|name| config::is_account_name(name)) {
            Some(name) => who.user = Some(name.to_owned()),
            None => who.uid = Some(peer.uid),
        },
    }
    let mut rule = RuleText {
        who,
        ..RuleText::default()
    };
    match permission {
        Permission::RoleAlias(_) => rule.role_aliases.push(value),
        Permission::Publish(_) => rule.publish.push(value),
        Permission::Subscribe(_) => rule.subscribe.push(value),
    }
    let file = drop_ins.join(FILE).display().to_string();
    format!(
        "# to give it, add these lines to {}, then: systemctl reload gatepost\n# (as root, gatepost allow adds such rules \
         and reloads: gatepost allow --help)\n{rule}",
        file.escape_debug(),
    )
}

/// The value as a rule must have it, or why there is no hint for it. Everything at once is never a hint: whoever pastes it
/// gives more than a program needs.
fn grantable(permission: Permission, thing: &str) -> Result<String, &'static str> {
    let value = match permission {
        Permission::RoleAlias("*") => {
            return Err("name the role alias that you need: /v1/credentials/ALIAS says which rule is missing");
        }
        Permission::RoleAlias(alias) if config::is_alias_name(alias) => return Ok(alias.to_owned()),
        Permission::RoleAlias(_) => return Err("no rule can give it: AWS has no role alias of such a name"),
        Permission::Publish("#" | "+") | Permission::Subscribe("#" | "+") => {
            return Err("name the topic or filter that you need: /topics/FILTER says which rule is missing");
        }
        Permission::Publish(topic) if topic.contains(['+', '#']) => {
            return Err("no rule can give it: nothing is published to a wildcard");
        }
        Permission::Publish(value) | Permission::Subscribe(value) => value,
    };
    // The same rule then fits every gateway of the fleet.
    let is_thing = |level: &&str| *level == thing && !thing.is_empty();
    let levels: Vec<&str> = value
        .split('/')
        .map(|level| Some(level).filter(|level| !is_thing(level)).unwrap_or(THING))
        .collect();
    let value = levels.join("/");
    match (config::may_be_granted(&value), value.starts_with('$')) {
        (true, _) => Ok(value),
        (false, true) => {
            Err("no rule can give it: of the topics that begin with $ only those of this thing can be given")
        }
        (false, false) => Err("no rule can give it: AWS IoT does not take this topic"),
    }
}

#[cfg(test)]
mod tests;
