//! Writes the missing rule into the hint of an access error, as TOML that an administrator can add to a file.
//!
//! The caller chooses the topic, so its text reaches root's clipboard through this hint. The hint contains no shell command,
//! and every value is a TOML string with unusual characters escaped: pasted into a shell by mistake, it runs nothing that
//! the caller wrote.

use std::path::Path;

use super::permission::Permission;
use crate::config::{self, RuleText, Selectors};
use crate::local::caller::Peer;
use crate::topic::THING;
use crate::user_accounts::UserAccounts;

/// The users that systemd assigns temporarily to services with `DynamicUser=` (systemd.exec(5)).
const DYNAMIC_USERS: std::ops::RangeInclusive<u32> = 61_184..=65_519;
/// The drop-in that hints name, whether or not it exists.
const FILE: &str = "access.toml";

/// Returns whether systemd may assign this user to another service later.
pub fn is_dynamic_user(uid: u32) -> bool {
    DYNAMIC_USERS.contains(&uid)
}

/// Returns the rule that would grant `peer` just this permission, below a comment that says where to add it. If there is no such
/// rule, returns a comment that says why. The rule names the user if `accounts` has the name. `drop_ins` is the drop-in folder of
/// the configuration in use, and `thing` this gateway's thing name, empty if it is unknown.
pub fn missing_rule(
    peer: &Peer,
    accounts: &UserAccounts,
    permission: Permission,
    thing: &str,
    drop_ins: &Path,
) -> String {
    let value = match rule_value(permission, thing) {
        Ok(value) => value,
        Err(reason) => return format!("# {reason}"),
    };
    let unit = peer.unit.as_ref().filter(|unit| config::is_unit_name(unit));
    let mut who = Selectors::default();
    match (unit, is_dynamic_user(peer.uid)) {
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
        Permission::Token(_) => rule.tokens.push(value),
    }
    let file = drop_ins.join(FILE).display().to_string();
    format!(
        "# to allow it, add these lines to {}, then: systemctl reload gatepost\n# (as root, gatepost allow adds such rules \
         and reloads: gatepost allow --help)\n{rule}",
        file.escape_debug(),
    )
}

/// Returns the value as a rule must have it, or the reason why no rule is suggested. A rule for everything is never suggested,
/// because it would give more than a program needs.
fn rule_value(permission: Permission, thing: &str) -> Result<String, &'static str> {
    let value = match permission {
        Permission::RoleAlias("*") => {
            return Err("name the role alias that you need: /v1/credentials/ALIAS says which rule is missing");
        }
        Permission::RoleAlias(alias) if config::is_alias_name(alias) => return Ok(alias.to_owned()),
        Permission::RoleAlias(_) => return Err("no rule can grant it: AWS has no role alias of such a name"),
        Permission::Token(audience) if config::may_be_audience(audience) => return Ok(audience.to_owned()),
        Permission::Token(_) => return Err("no rule can grant it: AWS accepts no such audience"),
        Permission::Publish("#" | "+") | Permission::Subscribe("#" | "+") => {
            return Err("name the topic or filter that you need: /topics/FILTER says which rule is missing");
        }
        Permission::Publish(topic) if topic.contains(['+', '#']) => {
            return Err("no rule can grant it: nothing is published to a wildcard");
        }
        Permission::Publish(value) | Permission::Subscribe(value) => value,
    };
    // With the placeholder the rule applies to every gateway of a fleet.
    let is_thing = |level: &&str| *level == thing && !thing.is_empty();
    let levels: Vec<&str> = value
        .split('/')
        .map(|level| Some(level).filter(|level| !is_thing(level)).unwrap_or(THING))
        .collect();
    let value = levels.join("/");
    match (config::may_be_granted(&value), value.starts_with('$')) {
        (true, _) => Ok(value),
        (false, true) => {
            Err("no rule can grant it: of the topics that begin with $ only those of this thing can be granted")
        }
        (false, false) => Err("no rule can grant it: AWS IoT does not accept this topic"),
    }
}

#[cfg(test)]
mod tests;
