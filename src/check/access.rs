//! Explains the permissions of a user: what the access rules allow, and which rule allows it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User};

use super::lines::{CREDENTIALS_FILES, Check, PUBLISH, ROLE_ALIAS, ROLE_ALIASES, SUBSCRIBE, WEB_TOKENS};
use super::report::{Outcome, Report};
use super::{aws, mqtt_programs};
use crate::check_config::examine;
use crate::config::{Config, FileOwner};
use crate::local::{AccessRules, Caller, Peer, Permission, RuleTopics};
use crate::problem::{Exit, Fatal, Problem};

/// An account, which may run programs in any unit.
struct Account {
    name: String,
    uid: u32,
    gid: u32,
    /// The entry in the database of users, if there is one.
    user: Option<User>,
}

/// Reports each role alias, and the topics that `user` may publish and subscribe to.
pub fn explain(path: &Path, user: &str, report: &mut Report) -> Result<(), Fatal> {
    let config = examine(path)?;
    let account = Account::look_up(user)?;
    let access = AccessRules::new(&config.access);
    let units: BTreeSet<&str> = config
        .access
        .iter()
        .filter_map(|rule| rule.who.unit.as_deref())
        .collect();
    report_role_aliases(&config, &account, &access, &units, report);
    report_topics(PUBLISH, |topics| topics.publish, &account, &access, &units, report);
    report_topics(SUBSCRIBE, |topics| topics.subscribe, &account, &access, &units, report);
    mqtt_programs::explain(&config, &account.to_string(), &account.within(None), &access, report);
    report_tokens(&config, &account, &access, &units, report);
    report_credentials_files(&config, &account, report);
    if let Some(user) = &account.user {
        aws::check(user, &config, report);
    }
    Ok(())
}

/// Returns by which rule a permission is granted, and in which units if not everywhere; empty if no rule grants it.
fn grants(account: &Account, access: &AccessRules, units: &BTreeSet<&str>, permission: Permission<'_>) -> Vec<String> {
    if let Some(rule) = access.find_rule(&account.within(None), permission, "") {
        return vec![format!("by {rule}")];
    }
    let in_unit = |unit: &&str| {
        let rule = access.find_rule(&account.within(Some(unit)), permission, "")?;
        Some(format!("only in {unit}, by {rule}"))
    };
    units.iter().filter_map(in_unit).collect()
}

/// Reports the audiences for which the user gets tokens, if any rule gives tokens at all.
fn report_tokens(
    config: &Config,
    account: &Account,
    access: &AccessRules,
    units: &BTreeSet<&str>,
    report: &mut Report,
) {
    let audiences = config.audiences();
    if audiences.is_empty() {
        return;
    }
    let lines = audiences.iter().flat_map(|audience| {
        let grants = grants(account, access, units, Permission::Token(audience)).into_iter();
        grants.map(move |grant| format!("{audience}: {grant}"))
    });
    let lines: Vec<String> = lines.collect();
    match lines.is_empty() {
        false => report.ok(WEB_TOKENS, lines.join("\n")),
        true => report.ok(WEB_TOKENS, format!("{account} gets no token: no rule grants one")),
    }
}

/// Reports the files that gatepost writes for the user, if it writes any.
fn report_credentials_files(config: &Config, account: &Account, report: &mut Report) {
    if config.credentials_files.is_empty() {
        return;
    }
    let is_own = |owner: &FileOwner| match owner {
        FileOwner::User(user) => *user == account.name || user.parse() == Ok(account.uid),
        FileOwner::Group(group) => account.is_in(group),
    };
    let files = config.credentials_files.iter().filter(|file| is_own(&file.owner));
    let lines: Vec<String> = files
        .map(|file| {
            let there = match file.path.try_exists() {
                Ok(true) => "",
                _ => ", which is not there now",
            };
            format!("{}: role alias {}{there}", file.path.display(), file.role_alias)
        })
        .collect();
    match lines.is_empty() {
        false => report.ok(CREDENTIALS_FILES, lines.join("\n")),
        true => report.ok(CREDENTIALS_FILES, format!("none is for {account}")),
    }
}

fn report_role_aliases(
    config: &Config,
    account: &Account,
    access: &AccessRules,
    units: &BTreeSet<&str>,
    report: &mut Report,
) {
    for alias in &config.role_aliases {
        let (name, permission) = (ROLE_ALIAS.of(&alias.name), Permission::RoleAlias(&alias.name));
        let grants = grants(account, access, units, permission);
        match grants.as_slice() {
            [] => report.add(
                name,
                Outcome::Warn,
                format!("{account} is not allowed: no rule grants it"),
                None,
            ),
            [rule] if rule.starts_with("by ") => report.ok(name, format!("{account} is allowed {rule}")),
            in_units => report.ok(name, in_units.join("\n")),
        }
    }
    if config.role_aliases.is_empty() {
        report.skip(ROLE_ALIASES, "none is configured");
    }
}

/// Reports each topic filter that a rule allows.
fn report_topics(
    check: Check,
    of: fn(RuleTopics<'_>) -> &[String],
    account: &Account,
    access: &AccessRules,
    units: &BTreeSet<&str>,
    report: &mut Report,
) {
    let everywhere: BTreeSet<&str> = access
        .topics_for(&account.within(None))
        .map(|topics| topics.rule)
        .collect();
    let mut lines = Vec::new();
    for unit in std::iter::once(None).chain(units.iter().copied().map(Some)) {
        for topics in access.topics_for(&account.within(unit)) {
            if unit.is_some() && everywhere.contains(topics.rule) {
                continue;
            }
            let place = unit.map(|unit| format!(", only in {unit}")).unwrap_or_default();
            let filters = of(topics).iter();
            lines.extend(filters.map(|filter| format!("{filter}{place}, by {}", topics.rule)));
        }
    }
    match lines.is_empty() {
        false => report.ok(check, lines.join("\n")),
        true => report.add(
            check,
            Outcome::Warn,
            format!("{account} may {} to no topic: no rule grants one", check.name),
            None,
        ),
    }
}

impl Account {
    /// Looks up a user by name or by number. A number without a user is accepted, because a rule may name it; it has no known group.
    fn look_up(user: &str) -> Result<Self, Fatal> {
        let number = user.parse::<u32>().ok();
        let found = match number {
            Some(uid) => User::from_uid(Uid::from_raw(uid)),
            None => User::from_name(user),
        };
        let why = match (found, number) {
            (Ok(Some(account)), _) => {
                return Ok(Self {
                    name: account.name.clone(),
                    uid: account.uid.as_raw(),
                    gid: account.gid.as_raw(),
                    user: Some(account),
                });
            }
            (Ok(None), Some(uid)) => {
                return Ok(Self {
                    name: "a user without a name".to_owned(),
                    uid,
                    gid: u32::MAX,
                    user: None,
                });
            }
            (Ok(None), None) => format!("there is no user {user:?}"),
            (Err(error), _) => format!("the user {user:?} cannot be looked up: {error}"),
        };
        let step = "getent passwd lists the users; a number is accepted as well";
        Err(Fatal::new(Exit::NoUser, Problem::configuration(why).next(step)))
    }

    /// Returns whether the account is a member of a group, which is given by name or number.
    fn is_in(&self, group: &str) -> bool {
        let named = Group::from_name(group).ok().flatten();
        let by_number = || Group::from_gid(Gid::from_raw(group.parse().ok()?)).ok().flatten();
        let Some(group) = named.or_else(by_number) else {
            return group.parse() == Ok(self.gid);
        };
        group.gid.as_raw() == self.gid || group.mem.contains(&self.name)
    }

    /// Returns this account as a caller in a unit.
    fn within(&self, unit: Option<&str>) -> Caller {
        Caller::Peer(Peer {
            uid: self.uid,
            account: self.uid,
            gid: self.gid,
            pid: None,
            unit: unit.map(Arc::from),
        })
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (uid {})", self.name, self.uid)
    }
}
