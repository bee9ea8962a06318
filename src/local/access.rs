//! The access rules, with names turned into numbers: who may have the credentials of which role alias, and who may publish
//! and subscribe to what.
//!
//! Names are looked up when the rules are made, never while a caller waits: the user database may be on a disk or a
//! network. What no rule gives is refused.

mod owner;
mod who;

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use log::Level;

use super::caller::Caller;
use super::loopback::Recipient;
use super::peer::Peer;
use crate::config::{AccessRule, Aliases, Selectors};
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::user_accounts::UserAccounts;
use crate::{subordinate, topic};
use who::Who;

/// This machine's own users. A directory of other users may be on the network, which no refusal waits for.
const PASSWD: &str = "/etc/passwd";

/// All rules, ready to be asked.
#[derive(Debug, Default)]
pub struct AccessRules {
    rules: Vec<Rule>,
    accounts: Arc<UserAccounts>,
}

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission<'a> {
    /// The credentials of a role alias.
    RoleAlias(&'a str),
    /// To publish to a topic.
    Publish(&'a str),
    /// To subscribe to a filter.
    Subscribe(&'a str),
}

impl<'a> Permission<'a> {
    /// The rule's key that gives it, and what must stand there.
    pub fn key(&self) -> (&'static str, &'a str) {
        match self {
            Self::RoleAlias(alias) => ("role-aliases", alias),
            Self::Publish(topic) => ("publish", topic),
            Self::Subscribe(filter) => ("subscribe", filter),
        }
    }
}

impl fmt::Display for Permission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoleAlias("*") => f.write_str("credentials of any role alias"),
            Self::RoleAlias(alias) => write!(f, "role alias \"{}\"", alias.escape_debug()),
            Self::Publish(topic) => write!(f, "right to publish to \"{}\"", topic.escape_debug()),
            Self::Subscribe(filter) => write!(f, "right to subscribe to \"{}\"", filter.escape_debug()),
        }
    }
}

/// The topics that a rule gives, as it has them: `{thing}` is not filled in.
#[derive(Clone, Copy, Debug)]
pub struct Topics<'a> {
    /// The rule's name.
    pub rule: &'a str,
    /// What may be published to.
    pub publish: &'a [String],
    /// What may be subscribed to.
    pub subscribe: &'a [String],
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Where it stands and whom it is for, as messages name it.
    name: String,
    selectors: Arc<Selectors>,
    who: Who,
    role_aliases: Aliases,
    publish: Vec<String>,
    subscribe: Vec<String>,
    token_file: Option<PathBuf>,
}

impl AccessRules {
    /// Rules as configured. A rule about a user or group that does not exist matches nobody, and is warned of: the
    /// program it is for may be installed later.
    pub fn new(rules: &[AccessRule]) -> Self {
        let mut made = Vec::new();
        for rule in rules {
            let name = format!("{} ({})", rule.place, rule.who);
            match Who::look_up(&rule.who) {
                Ok(who) => made.push(Rule {
                    name,
                    selectors: Arc::new(rule.who.clone()),
                    who,
                    role_aliases: rule.role_aliases.clone(),
                    publish: rule.publish.clone(),
                    subscribe: rule.subscribe.clone(),
                    token_file: rule.token_file.clone(),
                }),
                Err(why) => journal!(
                    Level::Warn, Event::AccessRuleForNobody;
                    "access: the rule {name} is for nobody: {why}; next: create the account or correct the rule, then: systemctl reload gatepost"
                ),
            }
        }
        let named = made.iter().flat_map(|rule| rule.who.users()).collect();
        // Without the file nobody has a name here; hints then name numbers.
        let passwd = fs::read(PASSWD).unwrap_or_default();
        let accounts = UserAccounts::new(named, subordinate::user_ranges());
        let accounts = Arc::new(accounts.with_names(&String::from_utf8_lossy(&passwd)));
        Self { rules: made, accounts }
    }

    /// Returns a problem for each rule that matches nobody, because its user or group does not exist.
    pub fn rules_for_nobody(rules: &[AccessRule]) -> Vec<Problem> {
        let problem = |rule: &AccessRule| {
            let why = Who::look_up(&rule.who).err()?;
            let message = format!("{}: the rule is for nobody: {why}", rule.place);
            Some(Problem::configuration(message).next("create the account, or correct the rule"))
        };
        rules.iter().filter_map(problem).collect()
    }

    /// The accounts of users, by these rules.
    pub fn accounts(&self) -> &Arc<UserAccounts> {
        &self.accounts
    }

    /// Whom the rules are for, each once, and who among them could read a file.
    pub fn recipients(&self) -> impl Iterator<Item = Recipient> {
        let first = |(index, rule): &(usize, &Rule)| {
            let earlier = self.rules.iter().take(*index);
            !earlier.into_iter().any(|earlier| earlier.selectors == rule.selectors)
        };
        let rules = self.rules.iter().enumerate().filter(first);
        let token_file = |rule: &Rule| {
            let mut alike = self.rules.iter().filter(|other| other.selectors == rule.selectors);
            alike.find_map(|rule| rule.token_file.clone())
        };
        rules.map(move |(_, rule)| Recipient {
            selectors: rule.selectors.clone(),
            reader: rule.who.reader(),
            token_file: token_file(rule),
        })
    }

    /// Whether a rule may be for this user, as far as that can be told before its unit is known. A rule with nothing but a
    /// unit may be for any user that a service runs as, which those of `FIRST_SUBORDINATE` and above are not.
    pub fn may_name(&self, uid: u32, gid: u32) -> bool {
        let peer = Peer::new(uid, gid, None);
        self.rules.iter().any(|rule| rule.who.may_be(&peer))
    }

    /// Whether any rule is about a unit, so that a caller's must be looked up.
    pub fn has_units(&self) -> bool {
        self.rules.iter().any(|rule| rule.who.unit.is_some())
    }

    /// Whether any rule is for `caller`, whatever it gives.
    pub fn names(&self, caller: &Caller) -> bool {
        self.rules.iter().any(|rule| rule.is_for(caller))
    }

    /// Whether any rule gives `caller` something of the kind that `permission` is.
    pub fn gives_any(&self, caller: &Caller, permission: Permission) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.is_for(caller) && rule.gives_any(permission))
    }

    /// Whom the rules are for that give `caller` the credentials of `alias`.
    pub fn holders_for(&self, caller: &Caller, alias: &str) -> impl Iterator<Item = &Selectors> {
        let rules = self
            .rules
            .iter()
            .filter(move |rule| rule.is_for(caller) && rule.gives(Permission::RoleAlias(alias), ""));
        rules.map(|rule| &*rule.selectors)
    }

    /// What the rules give `caller` of topics.
    pub fn topics_for(&self, caller: &Caller) -> impl Iterator<Item = Topics<'_>> {
        let rules = self.rules.iter().filter(move |rule| rule.is_for(caller));
        rules.map(|rule| Topics {
            rule: &rule.name,
            publish: &rule.publish,
            subscribe: &rule.subscribe,
        })
    }

    /// The rule that gives `caller` what it wants, by its name; `None` where no rule does. `thing` is what `{thing}` stands for.
    pub fn rule_for(&self, caller: &Caller, permission: Permission, thing: &str) -> Option<&str> {
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.is_for(caller) && rule.gives(permission, thing))?;
        Some(&rule.name)
    }
}

impl Rule {
    fn is_for(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Peer(peer) => self.who.is(peer),
            Caller::Bearer(holder) => self.selectors == holder.selectors,
        }
    }

    fn gives_any(&self, permission: Permission) -> bool {
        match (permission, &self.role_aliases) {
            (Permission::RoleAlias(_), Aliases::All) => true,
            (Permission::RoleAlias(_), Aliases::These(names)) => !names.is_empty(),
            (Permission::Publish(_), _) => !self.publish.is_empty(),
            (Permission::Subscribe(_), _) => !self.subscribe.is_empty(),
        }
    }

    fn gives(&self, permission: Permission, thing: &str) -> bool {
        let within = |given: &[String], wanted: &str| {
            let mut given = given.iter().map(|filter| filter.replace(topic::THING, thing));
            given.any(|filter| topic::covers(&filter, wanted))
        };
        match (permission, &self.role_aliases) {
            (Permission::RoleAlias(_), Aliases::All) => true,
            (Permission::RoleAlias(alias), Aliases::These(names)) => names.iter().any(|name| name == alias),
            (Permission::Publish(topic), _) => within(&self.publish, topic),
            (Permission::Subscribe(filter), _) => within(&self.subscribe, filter),
        }
    }
}

#[cfg(test)]
mod tests;
