//! The access rules, with names turned into numbers: who may have the credentials of which role alias, and who may publish
//! and subscribe to what.
//!
//! Names are looked up when the rules are made, never while a caller waits: the user database may be on a disk or a
//! network. What no rule gives is refused.

use std::fmt;
use std::sync::Arc;

use log::Level;
use nix::unistd::{Group, User};

use super::caller::Caller;
use super::loopback::Reader;
use super::peer::Peer;
use crate::config::{AccessRule, Aliases, Selectors};
use crate::event::{Event, journal};
use crate::topic;

/// All rules, ready to be asked.
#[derive(Debug, Default)]
pub struct Access {
    rules: Vec<Rule>,
}

/// What somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wish<'a> {
    /// The credentials of a role alias.
    RoleAlias(&'a str),
    /// To publish to a topic.
    Publish(&'a str),
    /// To subscribe to a filter.
    Subscribe(&'a str),
}

impl<'a> Wish<'a> {
    /// The rule's key that gives it, and what must stand there.
    pub fn key(&self) -> (&'static str, &'a str) {
        match self {
            Self::RoleAlias(alias) => ("role-aliases", alias),
            Self::Publish(topic) => ("publish", topic),
            Self::Subscribe(filter) => ("subscribe", filter),
        }
    }
}

impl fmt::Display for Wish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
}

/// A rule's selectors as numbers; all that are given must match.
#[derive(Debug, Default)]
struct Who {
    uid: Option<u32>,
    gid: Option<u32>,
    user: Option<u32>,
    group: Option<Members>,
    unit: Option<Arc<str>>,
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
            let name = format!("{} ({})", rule.place, rule.who);
            match Who::look_up(&rule.who) {
                Ok(who) => made.push(Rule {
                    name,
                    selectors: Arc::new(rule.who.clone()),
                    who,
                    role_aliases: rule.role_aliases.clone(),
                    publish: rule.publish.clone(),
                    subscribe: rule.subscribe.clone(),
                }),
                Err(why) => journal!(
                    Level::Warn, Event::AccessRuleForNobody;
                    "access: the rule {name} is for nobody: {why}; next: create the account or correct the rule, then: systemctl reload gatepost"
                ),
            }
        }
        Self { rules: made }
    }

    /// Whom the rules are for, each once, and who among them could read a file.
    pub fn holders(&self) -> impl Iterator<Item = (Arc<Selectors>, Reader)> {
        let first = |(index, rule): &(usize, &Rule)| {
            let earlier = self.rules.iter().take(*index);
            !earlier.into_iter().any(|earlier| earlier.selectors == rule.selectors)
        };
        let rules = self.rules.iter().enumerate().filter(first);
        rules.map(|(_, rule)| (rule.selectors.clone(), rule.who.reader()))
    }

    /// Whom the rules are for that give `caller` the credentials of `alias`.
    pub fn holders_for(&self, caller: &Caller, alias: &str) -> impl Iterator<Item = &Selectors> {
        let rules = self
            .rules
            .iter()
            .filter(move |rule| rule.is_for(caller) && rule.gives(Wish::RoleAlias(alias), ""));
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
    pub fn rule_for(&self, caller: &Caller, wish: Wish, thing: &str) -> Option<&str> {
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.is_for(caller) && rule.gives(wish, thing))?;
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

    fn gives(&self, wish: Wish, thing: &str) -> bool {
        let within = |given: &[String], wanted: &str| {
            let mut given = given.iter().map(|filter| filter.replace(topic::THING, thing));
            given.any(|filter| topic::covers(&filter, wanted))
        };
        match (wish, &self.role_aliases) {
            (Wish::RoleAlias(_), Aliases::All) => true,
            (Wish::RoleAlias(alias), Aliases::These(names)) => names.iter().any(|name| name == alias),
            (Wish::Publish(topic), _) => within(&self.publish, topic),
            (Wish::Subscribe(filter), _) => within(&self.subscribe, filter),
        }
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
            unit: selectors.unit.as_deref().map(Arc::from),
        })
    }

    fn is(&self, peer: &Peer) -> bool {
        let anybody = self.uid.is_none() && self.gid.is_none() && self.user.is_none() && self.group.is_none();
        let given = !anybody || self.unit.is_some();
        given
            && self.uid.is_none_or(|uid| uid == peer.uid)
            && self.user.is_none_or(|uid| uid == peer.uid)
            && self.gid.is_none_or(|gid| gid == peer.gid)
            && self
                .group
                .as_ref()
                .is_none_or(|group| group.gid == peer.gid || group.uids.contains(&peer.uid))
            && self.unit.as_ref().is_none_or(|unit| peer.unit.as_ref() == Some(unit))
    }
}

impl Who {
    /// Who could read a file that is for these.
    fn reader(&self) -> Reader {
        let group = self.group.as_ref().map(|group| group.gid);
        match (self.user.or(self.uid), group.or(self.gid), &self.unit) {
            (Some(uid), None, None) if self.user.is_none() || self.uid.is_none() => Reader::User(uid),
            (None, Some(gid), None) if self.group.is_none() || self.gid.is_none() => Reader::Group(gid),
            _ => Reader::Nobody,
        }
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
    use super::super::caller::Holder;
    use super::*;
    use crate::config::{Config, Folders};

    const RULES: &str = r#"
        access = [
            { uid = 1000, role-aliases = ["telemetry"] },
            { gid = 50, role-aliases = ["video", "telemetry"] },
            { uid = 7, gid = 8, role-aliases = ["*"] },
            { user = "root", role-aliases = ["*"] },
            { group = "daemon", role-aliases = ["group"] },
            { user = "no-such-user", role-aliases = ["*"] },
            { unit = "camera.service", role-aliases = ["camera"] },
            { uid = 9, unit = "audio.service", role-aliases = ["audio"] },
        ]
        role-alias = [{ name = "telemetry" }, { name = "video" }, { name = "group" }, { name = "camera" }, { name = "audio" }]
        aws = { mqtt-endpoint = "m", credentials-endpoint = "c" }
        token = { module = "/m", key = "pkcs11:object=o" }
    "#;

    fn rules() -> Vec<AccessRule> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        std::fs::write(&path, RULES).unwrap();
        Config::load(&path, &Folders::from_environment()).unwrap().access
    }

    fn peer(uid: u32, gid: u32, unit: Option<&str>) -> Caller {
        Caller::Peer(Peer {
            uid,
            gid,
            pid: None,
            unit: unit.map(Arc::from),
        })
    }

    #[test]
    fn promise_7_a_rule_must_give_it() {
        let access = Access::new(&rules());
        let (camera, audio) = (Some("camera.service"), Some("audio.service"));
        let cases = [
            (1000, 1000, None, "telemetry", Some(0)),
            (1000, 1000, None, "video", None),
            (1001, 50, None, "video", Some(1)),
            (1000, 50, None, "telemetry", Some(0)),
            (7, 8, None, "anything", Some(2)),
            (7, 9, None, "anything", None),
            (9, 8, None, "anything", None),
            (0, 0, None, "anything", Some(3)),
            (1234, 1, None, "group", Some(4)),
            (1234, 1, None, "telemetry", None),
            (4242, 4242, None, "telemetry", None),
            (4242, 4242, camera, "camera", Some(6)),
            (4242, 4242, camera, "telemetry", None),
            (4242, 4242, Some("camera.scope"), "camera", None),
            (4242, 4242, None, "camera", None),
            (9, 9, audio, "audio", Some(7)),
            (9, 9, None, "audio", None),
            (10, 9, audio, "audio", None),
        ];
        for (uid, gid, unit, alias, rule) in cases {
            let given = access.rule_for(&peer(uid, gid, unit), Wish::RoleAlias(alias), "gw-1");
            let number = given.map(|name| name.split([' ', '[', ']']).nth(1).unwrap().parse().unwrap());
            assert_eq!(number, rule, "uid {uid} gid {gid} {unit:?} {alias}: {given:?}");
        }
        assert_eq!(
            Access::default().rule_for(&peer(0, 0, camera), Wish::RoleAlias("x"), "gw-1"),
            None,
            "the default is no"
        );
    }

    #[test]
    fn promise_7_a_rule_without_selectors_is_for_nobody() {
        let nobody = AccessRule {
            place: "access[0]".into(),
            who: Selectors::default(),
            role_aliases: Aliases::All,
            publish: vec!["#".into()],
            subscribe: vec!["#".into()],
        };
        assert_eq!(
            Access::new(&[nobody]).rule_for(&peer(0, 0, None), Wish::RoleAlias("x"), "gw-1"),
            None
        );
    }

    #[test]
    fn a_token_speaks_for_the_rules_with_its_selectors() {
        let access = Access::new(&rules());
        let bearer = |uid| {
            Caller::Bearer(Holder {
                selectors: Arc::new(Selectors {
                    uid: Some(uid),
                    ..Selectors::default()
                }),
                uid: Some(uid),
            })
        };
        assert!(
            access
                .rule_for(&bearer(1000), Wish::RoleAlias("telemetry"), "gw-1")
                .is_some()
        );
        assert_eq!(access.rule_for(&bearer(1000), Wish::RoleAlias("video"), "gw-1"), None);
        assert_eq!(
            access.rule_for(&bearer(7), Wish::RoleAlias("telemetry"), "gw-1"),
            None,
            "that rule wants a group as well"
        );
    }

    #[test]
    fn promise_7_topics_are_given_by_filter_and_never_more() {
        let camera = AccessRule {
            place: "access[0]".into(),
            who: Selectors {
                uid: Some(7),
                ..Selectors::default()
            },
            role_aliases: Aliases::These(Vec::new()),
            publish: vec!["{thing}/camera/#".into(), "#".into()],
            subscribe: vec!["{thing}/camera/+".into(), "$aws/things/{thing}/shadow/#".into()],
        };
        let access = Access::new(&[camera]);
        for (wish, given) in [
            (Wish::Publish("gw-1/camera/7"), true),
            (Wish::Publish("$aws/things/gw-1/shadow/update"), false),
            (Wish::Subscribe("gw-1/camera/7"), true),
            (Wish::Subscribe("gw-1/camera/+"), true),
            (Wish::Subscribe("gw-1/camera/#"), false),
            (Wish::Subscribe("gw-10/camera/7"), false),
            (Wish::Subscribe("+/camera/7"), false),
            (Wish::Subscribe("{thing}/camera/7"), false),
            (Wish::Subscribe("$aws/things/gw-1/shadow/update/accepted"), true),
            (Wish::Subscribe("$aws/things/gw-1/jobs/#"), false),
            (Wish::Subscribe("$aws/things/gw-2/shadow/get"), false),
            (Wish::RoleAlias("telemetry"), false),
        ] {
            assert_eq!(
                access.rule_for(&peer(7, 7, None), wish, "gw-1").is_some(),
                given,
                "{wish}"
            );
            assert_eq!(access.rule_for(&peer(8, 7, None), wish, "gw-1"), None, "{wish}");
        }
    }
}
