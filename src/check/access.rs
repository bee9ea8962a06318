//! Explains the permissions of a user: what the access rules allow, and which rule allows it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{Uid, User};

use super::aws_files;
use super::lines::{Check, PUBLISH, ROLE_ALIAS, ROLE_ALIASES, SUBSCRIBE};
use super::report::{Outcome, Report};
use crate::check_config::examine;
use crate::config::Config;
use crate::local::{AccessRules, Caller, Peer, Permission, RuleTopics};
use crate::problem::{Exit, Fatal, Problem};

/// An account, which may run programs in any unit.
struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: Option<PathBuf>,
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
    if let Some(home) = &account.home {
        aws_files::check(&account.name, home, &config, report);
    }
    Ok(())
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
        if let Some(rule) = access.find_rule(&account.within(None), permission, "") {
            report.ok(name, format!("{account} is allowed by {rule}"));
            continue;
        }
        let in_unit = |unit: &&str| {
            let rule = access.find_rule(&account.within(Some(unit)), permission, "")?;
            Some(format!("only in {unit}, by {rule}"))
        };
        let in_units: Vec<String> = units.iter().filter_map(in_unit).collect();
        match in_units.is_empty() {
            false => report.ok(name, in_units.join("\n")),
            true => report.add(
                name,
                Outcome::Warn,
                format!("{account} is not allowed: no rule grants it"),
                None,
            ),
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
                    name: account.name,
                    uid: account.uid.as_raw(),
                    gid: account.gid.as_raw(),
                    home: Some(account.dir),
                });
            }
            (Ok(None), Some(uid)) => {
                return Ok(Self {
                    name: "a user without a name".to_owned(),
                    uid,
                    gid: u32::MAX,
                    home: None,
                });
            }
            (Ok(None), None) => format!("there is no user {user:?}"),
            (Err(error), _) => format!("the user {user:?} cannot be looked up: {error}"),
        };
        let step = "getent passwd lists the users; a number is accepted as well";
        Err(Fatal::new(Exit::NoUser, Problem::configuration(why).next(step)))
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
