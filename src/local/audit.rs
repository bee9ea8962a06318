//! Who was given what, in the journal: every decision is one structured line, and a caller in a loop cannot fill the disk
//! with them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use log::Level;

use super::access::Permission;
use super::caller::Caller;
use crate::clock::SharedClock;
use crate::event::{Event, journal};

/// Decisions alike (who, in which unit, what, by which rule) that are written within one [`WINDOW`]; the others are counted.
const LINES: u32 = 5;
/// Processes whose first decision of a kind is written, however many decisions there were before it.
const PROCESSES: usize = 16;
/// How long decisions alike are counted together.
const WINDOW: Duration = Duration::from_secs(600);
/// Kinds of decisions that are remembered; of more, the oldest is forgotten.
const KINDS: usize = 256;

/// The callers on the socket whom no rule names.
const UNNAMED: &str = "users whom no access rule names";

/// The journal of decisions.
#[derive(Debug)]
pub struct Audit {
    clock: SharedClock,
    kinds: RefCell<HashMap<Kind, Count>>,
}

/// What makes two decisions alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    who: String,
    unit: Option<Arc<str>>,
    what: String,
    rule: Option<String>,
}

#[derive(Clone, Debug)]
struct Count {
    since: Duration,
    decisions: u32,
    written: u32,
    /// The processes that have had a line.
    processes: Vec<i32>,
}

impl Kind {
    /// Of callers of whom nothing is known.
    fn of_strangers(what: &str) -> Self {
        Self {
            who: "a stranger".to_owned(),
            unit: None,
            what: what.to_owned(),
            rule: None,
        }
    }
}

impl Count {
    /// Counts one more. A process that had no line yet gets one beyond [`LINES`], so that one in a loop does not hide what
    /// another of the same user was given; there are [`PROCESSES`] such lines, because a process can start others.
    fn is_to_be_written(&mut self, pid: Option<i32>) -> bool {
        self.decisions = self.decisions.saturating_add(1);
        let another = pid.filter(|pid| !self.processes.contains(pid) && self.processes.len() < PROCESSES);
        self.processes.extend(another);
        let written = self.decisions <= LINES || another.is_some();
        self.written += u32::from(written);
        written
    }
}

impl Audit {
    /// An empty one.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            kinds: RefCell::default(),
        }
    }

    /// Notes that somebody addressed the loopback listener by a name that is not its own.
    pub fn note_wrong_host(&self, name: &str) {
        if let Some(silent) = self.count(Kind::of_strangers("host"), None) {
            journal!(
                Level::Warn, Event::AccessWrongHost, ACCESS_DECISION = "refused";
                "access: a caller of the loopback listener was refused because it addressed another host ({name}){}",
                more(silent)
            );
        }
    }

    /// Notes that somebody showed a token that is none of ours.
    pub fn note_stranger(&self) {
        if let Some(silent) = self.count(Kind::of_strangers("token"), None) {
            journal!(
                Level::Warn, Event::AccessStranger, ACCESS_DECISION = "refused";
                "access: a caller of the loopback listener showed a token that is none of ours{}",
                more(silent)
            );
        }
    }

    /// Notes that `rule` gave `caller` what it wanted, or that none did. Callers whom no rule names share their lines: a user
    /// may have 65,536 user IDs, each of which would otherwise have lines of its own.
    pub fn note(&self, caller: &Caller, permission: Permission, rule: Option<&str>, is_named: bool) {
        let (key, value) = permission.key();
        let (alias, topic) = match permission {
            Permission::RoleAlias(alias) => (alias, ""),
            Permission::Publish(topic) | Permission::Subscribe(topic) => ("", topic),
        };
        let (uid, gid, pid, unit) = match caller {
            Caller::Peer(peer) => (Some(peer.uid), Some(peer.gid), peer.pid, peer.unit.clone()),
            Caller::Bearer(_) => (None, None, None, None),
        };
        let kind = Kind {
            // By the door: who comes by both is two.
            who: match caller {
                Caller::Peer(_) if !is_named => UNNAMED.to_owned(),
                Caller::Peer(_) => caller.account(),
                Caller::Bearer(_) => caller.to_string(),
            },
            unit: unit.clone().filter(|_| is_named),
            // Role aliases are few; of topics there are as many as a program can think of.
            what: format!("{key} {alias}"),
            rule: rule.map(str::to_owned),
        };
        let Some(silent) = self.count(kind, pid) else { return };
        // A field without a value is an empty one.
        let number = |number: Option<String>| number.unwrap_or_default();
        let (level, event, decision, by) = match rule {
            Some(rule) => (Level::Info, Event::AccessAllowed, "allowed", format!("by {rule}")),
            None => (
                Level::Warn,
                Event::AccessRefused,
                "refused",
                "because no rule gives it".to_owned(),
            ),
        };
        journal!(
            level,
            event,
            ACCESS_DECISION = decision,
            ACCESS_RULE = rule.unwrap_or_default(),
            ROLE_ALIAS = alias,
            TOPIC = topic,
            PEER_UID = number(uid.map(|uid| uid.to_string())).as_str(),
            PEER_GID = number(gid.map(|gid| gid.to_string())).as_str(),
            PEER_PID = number(pid.map(|pid| pid.to_string())).as_str(),
            PEER_UNIT = unit.as_deref().unwrap_or_default();
            "access: {caller} was {decision} {} {by}{}",
            said(key, value),
            more(silent)
        );
    }

    /// Counts a decision: `None` where it is not to be written, else how many have not been since the last that was.
    fn count(&self, kind: Kind, pid: Option<i32>) -> Option<u32> {
        let now = self.clock.boot();
        let mut kinds = self.kinds.borrow_mut();
        let mut silent = 0;
        if let Some(count) = kinds.get_mut(&kind) {
            if now.saturating_sub(count.since) < WINDOW {
                return count.is_to_be_written(pid).then_some(0);
            }
            silent = count.decisions - count.written;
        } else if kinds.len() >= KINDS {
            let oldest = kinds.iter().min_by_key(|(_, count)| count.since);
            if let Some(oldest) = oldest.map(|(kind, _)| kind.clone()) {
                kinds.remove(&oldest);
            }
        }
        let begun = Count {
            since: now,
            decisions: 1,
            written: 1,
            processes: pid.into_iter().collect(),
        };
        kinds.insert(kind, begun);
        Some(silent)
    }
}

fn said(key: &str, value: &str) -> String {
    let what = if key == "role-aliases" { "role alias" } else { key };
    format!("{what} {}", value.escape_debug())
}

fn more(silent: u32) -> String {
    match silent {
        0 => String::new(),
        silent => format!(" ({silent} more like it before were not logged)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    fn kind(uid: u32, rule: Option<&str>) -> Kind {
        Kind {
            who: format!("uid {uid}"),
            unit: None,
            what: "role-aliases telemetry".to_owned(),
            rule: rule.map(str::to_owned),
        }
    }

    #[test]
    fn a_loop_is_counted_and_told_of_later() {
        let clock = ManualClock::at(1_800_000_000);
        let audit = Audit::new(clock.clone());
        let written = |uid, rule| audit.count(kind(uid, rule), Some(7));
        let first: Vec<_> = (0..10_000).filter_map(|_| written(1, None)).collect();
        assert_eq!(first, [0; LINES as usize]);
        assert_eq!(
            written(1, Some("access[0]")),
            Some(0),
            "another decision is another line"
        );
        assert_eq!(written(2, None), Some(0), "and so is another user");
        clock.pass(WINDOW);
        assert_eq!(written(1, None), Some(10_000 - LINES));
        assert_eq!(written(1, None), Some(0));
    }

    #[test]
    fn a_process_in_a_loop_hides_no_other_process_and_no_other_unit() {
        let clock = ManualClock::at(1_800_000_000);
        let audit = Audit::new(clock.clone());
        for _ in 0..1_000 {
            audit.count(kind(1, None), Some(7));
        }
        assert_eq!(audit.count(kind(1, None), Some(8)), Some(0), "another process");
        assert_eq!(audit.count(kind(1, None), Some(8)), None, "and only once");
        let in_unit = Kind {
            unit: Some("camera.service".into()),
            ..kind(1, None)
        };
        assert_eq!(audit.count(in_unit, Some(7)), Some(0), "another unit");
        let lines = (100..10_000)
            .filter_map(|pid| audit.count(kind(1, None), Some(pid)))
            .count();
        assert_eq!(
            lines,
            PROCESSES - 2,
            "who starts processes in a loop does not fill the disk"
        );
        clock.pass(WINDOW);
        let written = LINES + u32::try_from(PROCESSES).unwrap() - 1;
        assert_eq!(
            audit.count(kind(1, None), Some(7)),
            Some(1_000 + 2 + 9_900 - written),
            "what was not written is counted"
        );
    }

    #[test]
    fn users_whom_no_rule_names_do_not_fill_the_disk_and_push_nobody_out() {
        let clock = ManualClock::at(1_800_000_000);
        let audit = Audit::new(clock.clone());
        let caller = |uid, unit: &str| {
            let mut peer = crate::local::Peer::new(uid, 100, i32::try_from(uid).ok());
            peer.unit = Some(unit.into());
            Caller::Peer(peer)
        };
        audit.note(
            &caller(1, "a.service"),
            Permission::Publish("t"),
            Some("access[0]"),
            true,
        );
        for uid in 100_000..110_000 {
            audit.note(
                &caller(uid, &format!("{uid}.service")),
                Permission::Publish("t"),
                None,
                false,
            );
        }
        let kinds = audit.kinds.borrow();
        assert_eq!(kinds.len(), 2, "{kinds:?}");
        let written: u32 = kinds.values().map(|count| count.written).sum();
        assert!(written <= 1 + LINES + u32::try_from(PROCESSES).unwrap(), "{written}");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let clock = ManualClock::at(1_800_000_000);
        let audit = Audit::new(clock.clone());
        for uid in 0..10 * u32::try_from(KINDS).unwrap() {
            clock.pass(Duration::from_millis(1));
            audit.count(kind(uid, None), Some(7));
        }
        assert_eq!(audit.kinds.borrow().len(), KINDS);
    }
}
