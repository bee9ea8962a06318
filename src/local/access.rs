//! The access rules, with names turned into numbers: who may have the credentials of which role alias.
//!
//! Names are looked up when the rules are made, never while a caller waits: the user database may be on a disk or a
//! network. What no rule gives is refused.

use nix::unistd::{Group, User};

use super::peer::Peer;
use crate::config::{AccessRule, Aliases, Selectors};

/// All rules, ready to be asked.
#[derive(Debug, Default)]
pub struct Access {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    who: Who,
    role_aliases: Aliases,
}

/// A rule's selectors as numbers; all that are given must match.
#[derive(Debug, Default)]
struct Who {
    uid: Option<u32>,
    gid: Option<u32>,
    user: Option<u32>,
    group: Option<Members>,
}

/// A group: by primary group or by the group database's list of members.
#[derive(Debug)]
struct Members {
    gid: u32,
    uids: Vec<u32>,
}

impl Access {
    /// Rules as configured. A rule about a user or group that does not exist matches nobody, and is warned of: the
    /// program it is for may be installed later.
    pub fn new(rules: &[AccessRule]) -> Self {
        let mut made = Vec::new();
        for rule in rules {
            match Who::look_up(&rule.who) {
                Ok(who) => made.push(Rule {
                    who,
                    role_aliases: rule.role_aliases.clone(),
                }),
                Err(why) => log::warn!(
                    "access: a rule is for nobody: {why}; next: create the account or correct the rule, then restart gatepost"
                ),
            }
        }
        Self { rules: made }
    }

    /// Whether some rule gives `peer` the credentials of `alias`.
    pub fn allows(&self, peer: Peer, alias: &str) -> bool {
        self.rules.iter().any(|rule| {
            rule.who.is(peer)
                && match &rule.role_aliases {
                    Aliases::All => true,
                    Aliases::These(names) => names.iter().any(|name| name == alias),
                }
        })
    }
}

impl Who {
    fn look_up(selectors: &Selectors) -> Result<Self, String> {
        let user = selectors.user.as_deref().map(uid_of).transpose()?;
        let group = selectors.group.as_deref().map(Members::of).transpose()?;
        Ok(Self {
            uid: selectors.uid,
            gid: selectors.gid,
            user,
            group,
        })
    }

    fn is(&self, peer: Peer) -> bool {
        let given = self.uid.is_some() || self.gid.is_some() || self.user.is_some() || self.group.is_some();
        given
            && self.uid.is_none_or(|uid| uid == peer.uid)
            && self.user.is_none_or(|uid| uid == peer.uid)
            && self.gid.is_none_or(|gid| gid == peer.gid)
            && self
                .group
                .as_ref()
                .is_none_or(|group| group.gid == peer.gid || group.uids.contains(&peer.uid))
    }
}

impl Members {
    fn of(name: &str) -> Result<Self, String> {
        match Group::from_name(name) {
            Ok(Some(group)) => {
                let uids = group.mem.iter().filter_map(|member| uid_of(member).ok()).collect();
                Ok(Self {
                    gid: group.gid.as_raw(),
                    uids,
                })
            }
            Ok(None) => Err(format!("there is no group {name}")),
            Err(error) => Err(format!("the group {name} cannot be looked up: {error}")),
        }
    }
}

fn uid_of(name: &str) -> Result<u32, String> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(format!("there is no user {name}")),
        Err(error) => Err(format!("the user {name} cannot be looked up: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(who: Selectors, aliases: &[&str]) -> AccessRule {
        let role_aliases = match aliases {
            ["*"] => Aliases::All,
            names => Aliases::These(names.iter().map(|name| name.to_string()).collect()),
        };
        AccessRule { who, role_aliases }
    }

    #[test]
    fn promise_7_a_rule_must_give_it() {
        let nobody = Selectors::default();
        let rules = [
            rule(
                Selectors {
                    uid: Some(1000),
                    ..nobody.clone()
                },
                &["telemetry"],
            ),
            rule(
                Selectors {
                    gid: Some(50),
                    ..nobody.clone()
                },
                &["video", "telemetry"],
            ),
            rule(
                Selectors {
                    uid: Some(7),
                    gid: Some(8),
                    ..nobody.clone()
                },
                &["*"],
            ),
            rule(
                Selectors {
                    user: Some("root".into()),
                    ..nobody.clone()
                },
                &["*"],
            ),
            rule(
                Selectors {
                    group: Some("daemon".into()),
                    ..nobody.clone()
                },
                &["group"],
            ),
            rule(
                Selectors {
                    user: Some("no-such-user".into()),
                    ..nobody.clone()
                },
                &["*"],
            ),
            rule(nobody, &["*"]),
        ];
        let access = Access::new(&rules);
        let cases = [
            (1000, 1000, "telemetry", true),
            (1000, 1000, "video", false),
            (1001, 50, "video", true),
            (7, 8, "anything", true),
            (7, 9, "anything", false),
            (9, 8, "anything", false),
            (0, 0, "anything", true),
            (1234, 1, "group", true),
            (1234, 1, "telemetry", false),
            (4242, 4242, "telemetry", false),
        ];
        for (uid, gid, alias, allowed) in cases {
            let peer = Peer { uid, gid, pid: None };
            assert_eq!(access.allows(peer, alias), allowed, "uid {uid} gid {gid} {alias}");
        }
        assert!(
            !Access::default().allows(
                Peer {
                    uid: 0,
                    gid: 0,
                    pid: None
                },
                "x"
            ),
            "the default is no"
        );
    }
}
