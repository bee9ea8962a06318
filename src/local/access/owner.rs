//! The rules, asked about the owner of a durable subscription, who need not be there at the moment.

use super::super::caller::Caller;
use super::super::ownership::token_owner;
use super::{AccessRules, Permission, Rule, Who};
use crate::messages::Owner;

impl AccessRules {
    /// Whether the rule that gives `caller` what it wants selects by a unit.
    pub fn is_given_by_unit(&self, caller: &Caller, permission: Permission, thing: &str) -> bool {
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| rule.is_for(caller) && rule.gives(permission, thing));
        rule.is_some_and(|rule| rule.who.unit.is_some())
    }

    /// Whether a rule gives the filter to a durable subscription's owner.
    pub fn gives_owner(&self, owner: &Owner, filter: &str, thing: &str) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.gives(Permission::Subscribe(filter), thing) && rule.is_for_owner(owner))
    }
}

impl Rule {
    fn is_for_owner(&self, owner: &Owner) -> bool {
        match owner {
            Owner::User { uid, gid } => self.who.may_own(*uid, *gid, None),
            Owner::Unit { unit, uid, gid } => self.who.may_own(*uid, Some(*gid), Some(unit)),
            Owner::Token(token) => token_owner(&self.selectors) == *token,
            Owner::Unknown(_) => false,
        }
    }
}

impl Who {
    /// Whether it selects the process that the owner was. Of an owner that an older version noted only the user is known: group and
    /// unit count as right until its program subscribes again. What is handed out then is checked by what is known of the program.
    fn may_own(&self, uid: u32, gid: Option<u32>, unit: Option<&str>) -> bool {
        let selects = self.uid.is_some()
            || self.user.is_some()
            || self.gid.is_some()
            || self.group.is_some()
            || self.unit.is_some();
        let group = |selected: u32| gid.is_none_or(|gid| gid == selected);
        selects
            && self.uid.is_none_or(|selected| selected == uid)
            && self.user.is_none_or(|selected| selected == uid)
            && self.gid.is_none_or(group)
            && (self.group.as_ref()).is_none_or(|members| group(members.gid) || members.uids.contains(&uid))
            && (self.unit.as_deref()).is_none_or(|selected| gid.is_none() || unit == Some(selected))
    }
}

#[cfg(test)]
mod tests;
