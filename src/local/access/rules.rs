//! Evaluates the access rules: which callers get credentials of which role alias, and may publish and subscribe to which
//! topics.
//!
//! User and group names are looked up when the rules are loaded, never while a caller waits: the user database may be on a
//! disk or a network. A permission that no rule grants is denied.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use log::Level;

use super::permission::Permission;
use super::process_selectors::ProcessSelectors;
use super::token_reader::TokenRecipient;
use crate::config::{AccessRule, Aliases, Selectors};
use crate::event::{Event, journal};
use crate::local::caller::{Caller, Peer, token_owner};
use crate::messages::Owner;
use crate::problem::Problem;
use crate::user_accounts::UserAccounts;
use crate::{subordinate, topic};

/// The local user database. Other databases may be on the network, which no error response may wait for.
const PASSWD: &str = "/etc/passwd";

/// The access rules, ready for evaluation.
#[derive(Debug, Default)]
pub struct AccessRules {
    rules: Vec<Rule>,
    accounts: Arc<UserAccounts>,
}

/// The topics of a rule as configured: `{thing}` is not replaced.
#[derive(Clone, Copy, Debug)]
pub struct RuleTopics<'a> {
    /// The rule's name.
    pub rule: &'a str,
    /// Filters of the topics that may be published to.
    pub publish: &'a [String],
    /// Filters that may be subscribed to.
    pub subscribe: &'a [String],
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its place in the configuration and its selectors, as messages name it.
    name: String,
    selectors: Arc<Selectors>,
    process_selectors: ProcessSelectors,
    role_aliases: Aliases,
    publish: Vec<String>,
    subscribe: Vec<String>,
    tokens: Vec<String>,
    token_file: Option<PathBuf>,
}

impl AccessRules {
    /// Loads the configured rules. A rule about a user or group that does not exist matches nobody and causes a warning, because
    /// its program may be installed later.
    pub fn new(rules: &[AccessRule]) -> Self {
        let mut loaded = Vec::new();
        for rule in rules {
            let name = format!("{} ({})", rule.place, rule.who);
            match ProcessSelectors::look_up(&rule.who) {
                Ok(process_selectors) => loaded.push(Rule {
                    name,
                    selectors: Arc::new(rule.who.clone()),
                    process_selectors,
                    role_aliases: rule.role_aliases.clone(),
                    publish: rule.publish.clone(),
                    subscribe: rule.subscribe.clone(),
                    tokens: rule.tokens.clone(),
                    token_file: rule.token_file.clone(),
                }),
                Err(reason) => journal!(
                    Level::Warn, Event::AccessRuleForNobody;
                    "access: the rule {name} is for nobody: {reason}; next: create the account or correct the rule, then: systemctl reload gatepost"
                ),
            }
        }
        let named = loaded.iter().flat_map(|rule| rule.process_selectors.users()).collect();
        // Without the file, hints have numbers instead of names.
        let passwd = fs::read(PASSWD).unwrap_or_default();
        let accounts = UserAccounts::new(named, subordinate::user_ranges());
        let accounts = Arc::new(accounts.with_names(&String::from_utf8_lossy(&passwd)));
        Self {
            rules: loaded,
            accounts,
        }
    }

    /// Returns a problem for each rule that matches nobody, because its user or group does not exist.
    pub fn rules_for_nobody(rules: &[AccessRule]) -> Vec<Problem> {
        let problem = |rule: &AccessRule| {
            let reason = ProcessSelectors::look_up(&rule.who).err()?;
            let message = format!("{}: the rule is for nobody: {reason}", rule.place);
            Some(Problem::configuration(message).next("create the account, or correct the rule"))
        };
        rules.iter().filter_map(problem).collect()
    }

    /// Returns the accounts of the users that these rules name.
    pub fn accounts(&self) -> &Arc<UserAccounts> {
        &self.accounts
    }

    /// Returns a token recipient for each distinct set of selectors.
    pub fn token_recipients(&self) -> impl Iterator<Item = TokenRecipient> {
        let is_first = |(index, rule): &(usize, &Rule)| {
            let earlier = self.rules.iter().take(*index);
            !earlier.into_iter().any(|earlier| earlier.selectors == rule.selectors)
        };
        let rules = self.rules.iter().enumerate().filter(is_first);
        let token_file = |rule: &Rule| {
            let mut alike = self.rules.iter().filter(|other| other.selectors == rule.selectors);
            alike.find_map(|rule| rule.token_file.clone())
        };
        rules.map(move |(_, rule)| TokenRecipient {
            selectors: rule.selectors.clone(),
            reader: rule.process_selectors.reader(),
            token_file: token_file(rule),
        })
    }

    /// Returns whether a rule may match this user, before its unit is known. A rule that selects only a unit may match any user
    /// that a service runs as, which excludes subordinate users.
    pub fn may_name(&self, uid: u32, gid: u32) -> bool {
        let peer = Peer::new(uid, gid, None);
        self.rules.iter().any(|rule| rule.process_selectors.may_match(&peer))
    }

    /// Returns whether any rule selects a unit, so that callers' units must be looked up.
    pub fn has_units(&self) -> bool {
        self.rules.iter().any(|rule| rule.process_selectors.unit.is_some())
    }

    /// Returns whether any rule matches `caller`, whatever it grants.
    pub fn has_rule_for(&self, caller: &Caller) -> bool {
        self.rules.iter().any(|rule| rule.matches(caller))
    }

    /// Returns whether any rule grants `caller` a permission of the same kind as `permission`.
    pub fn gives_any(&self, caller: &Caller, permission: Permission) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.matches(caller) && rule.gives_any(permission))
    }

    /// Returns the selectors of the rules that grant `caller` the credentials of `alias`.
    pub fn selectors_giving(&self, caller: &Caller, alias: &str) -> impl Iterator<Item = &Selectors> {
        let rules = self
            .rules
            .iter()
            .filter(move |rule| rule.matches(caller) && rule.grants(Permission::RoleAlias(alias), ""));
        rules.map(|rule| &*rule.selectors)
    }

    /// Returns the selectors of each rule that matches `caller`.
    pub fn selectors_for(&self, caller: &Caller) -> impl Iterator<Item = &Selectors> {
        let rules = self.rules.iter().filter(move |rule| rule.matches(caller));
        rules.map(|rule| &*rule.selectors)
    }

    /// Returns the topics of each rule that matches `caller`.
    pub fn topics_for(&self, caller: &Caller) -> impl Iterator<Item = RuleTopics<'_>> {
        let rules = self.rules.iter().filter(move |rule| rule.matches(caller));
        rules.map(|rule| RuleTopics {
            rule: &rule.name,
            publish: &rule.publish,
            subscribe: &rule.subscribe,
        })
    }

    /// Returns the name of the rule that grants `caller` the permission. `thing` replaces `{thing}` in the rules.
    pub fn find_rule(&self, caller: &Caller, permission: Permission, thing: &str) -> Option<&str> {
        let rule = self.find(caller, permission, thing)?;
        Some(&rule.name)
    }

    /// Returns whether the rule that grants `caller` the permission selects a unit.
    pub fn is_given_by_unit(&self, caller: &Caller, permission: Permission, thing: &str) -> bool {
        self.find(caller, permission, thing)
            .is_some_and(|rule| rule.process_selectors.unit.is_some())
    }

    /// Returns whether a rule that selects a unit matches `caller`. What it owns then belongs to the unit, and not to every process
    /// of the same user.
    pub fn is_selected_by_unit(&self, caller: &Caller) -> bool {
        let by_unit = |rule: &&Rule| rule.process_selectors.unit.is_some();
        self.rules.iter().filter(by_unit).any(|rule| rule.matches(caller))
    }

    /// Returns whether a rule lets the owner of a durable subscription subscribe to the filter. Its program need not be connected.
    pub fn owner_may_subscribe(&self, owner: &Owner, filter: &str, thing: &str) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.grants(Permission::Subscribe(filter), thing) && rule.matches_owner(owner))
    }

    fn find(&self, caller: &Caller, permission: Permission, thing: &str) -> Option<&Rule> {
        self.rules
            .iter()
            .find(|rule| rule.matches(caller) && rule.grants(permission, thing))
    }
}

impl Rule {
    fn matches(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Peer(peer) => self.process_selectors.match_peer(peer),
            Caller::Bearer(holder) => self.selectors == holder.selectors,
        }
    }

    fn matches_owner(&self, owner: &Owner) -> bool {
        match owner {
            Owner::User { uid, gid } => self.process_selectors.match_owner(*uid, *gid, None),
            Owner::Unit { unit, uid, gid } => self.process_selectors.match_owner(*uid, Some(*gid), Some(unit)),
            Owner::Token(token) => token_owner(&self.selectors) == *token,
            Owner::Unknown(_) => false,
        }
    }

    fn gives_any(&self, permission: Permission) -> bool {
        match (permission, &self.role_aliases) {
            (Permission::RoleAlias(_), Aliases::All) => true,
            (Permission::RoleAlias(_), Aliases::These(names)) => !names.is_empty(),
            (Permission::Publish(_), _) => !self.publish.is_empty(),
            (Permission::Subscribe(_), _) => !self.subscribe.is_empty(),
            (Permission::Token(_), _) => !self.tokens.is_empty(),
        }
    }

    fn grants(&self, permission: Permission, thing: &str) -> bool {
        let covers = |filters: &[String], requested: &str| {
            let mut filters = filters.iter().map(|filter| filter.replace(topic::THING, thing));
            filters.any(|filter| topic::covers(&filter, requested))
        };
        match (permission, &self.role_aliases) {
            (Permission::RoleAlias(_), Aliases::All) => true,
            (Permission::RoleAlias(alias), Aliases::These(names)) => names.iter().any(|name| name == alias),
            (Permission::Publish(topic), _) => covers(&self.publish, topic),
            (Permission::Subscribe(filter), _) => covers(&self.subscribe, filter),
            (Permission::Token(audience), _) => self.tokens.iter().any(|given| given == audience),
        }
    }
}

#[cfg(test)]
mod owner_tests;
#[cfg(test)]
mod tests;
