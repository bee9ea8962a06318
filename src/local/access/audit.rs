//! Logs access decisions as structured journal lines. A caller in a loop cannot fill the disk with them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use log::Level;

use super::permission::Permission;
use crate::clock::SharedClock;
use crate::event::{Event, journal};
use crate::local::caller::Caller;

/// Lines for equal decisions (same caller, unit, permission and rule) within one [`WINDOW`]. Further decisions are counted.
const MAX_LINES: u32 = 5;
/// Processes whose first decision of a kind is logged even after [`MAX_LINES`] lines.
const MAX_PROCESSES: usize = 16;
/// The time for which equal decisions are counted together.
const WINDOW: Duration = Duration::from_secs(600);
/// Maximum number of kinds. Beyond it the oldest is removed.
const MAX_KINDS: usize = 256;

/// The common name of callers on the socket whom no rule names.
const UNNAMED: &str = "users whom no access rule names";

/// The audit log.
#[derive(Debug)]
pub struct Audit {
    clock: SharedClock,
    kinds: RefCell<HashMap<Kind, Count>>,
}

/// Decisions with equal fields are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    caller: String,
    unit: Option<Arc<str>>,
    permission: String,
    rule: Option<String>,
}

#[derive(Clone, Debug)]
struct Count {
    since: Duration,
    decisions: u32,
    logged: u32,
    /// The processes that have a line already.
    processes: Vec<i32>,
}

impl Kind {
    /// Returns the kind of decisions about unidentified callers.
    fn unidentified(permission: &str) -> Self {
        Self {
            caller: "unidentified".to_owned(),
            unit: None,
            permission: permission.to_owned(),
            rule: None,
        }
    }
}

impl Count {
    /// Counts a decision, and returns whether to log it. A process without a line gets one beyond [`MAX_LINES`], so that a process
    /// in a loop does not hide another one of the same user. At most [`MAX_PROCESSES`] get one, because a process can start others.
    fn record(&mut self, pid: Option<i32>) -> bool {
        self.decisions = self.decisions.saturating_add(1);
        let new_process = pid.filter(|pid| !self.processes.contains(pid) && self.processes.len() < MAX_PROCESSES);
        self.processes.extend(new_process);
        let is_logged = self.decisions <= MAX_LINES || new_process.is_some();
        self.logged += u32::from(is_logged);
        is_logged
    }
}

impl Audit {
    /// Creates an audit log without counts.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            kinds: RefCell::default(),
        }
    }

    /// Logs a request on the loopback listener that was addressed to another host.
    pub fn log_wrong_host(&self, name: &str) {
        if let Some(suppressed) = self.count(Kind::unidentified("host"), None) {
            journal!(
                Level::Warn, Event::AccessWrongHost, ACCESS_DECISION = "refused";
                "access: a caller of the loopback listener was refused because it addressed another host ({name}){}",
                suppressed_remark(suppressed)
            );
        }
    }

    /// Logs a request with an unknown token.
    pub fn log_unknown_token(&self) {
        if let Some(suppressed) = self.count(Kind::unidentified("token"), None) {
            journal!(
                Level::Warn, Event::AccessStranger, ACCESS_DECISION = "refused";
                "access: a caller of the loopback listener presented an unknown token{}",
                suppressed_remark(suppressed)
            );
        }
    }

    /// Logs that `rule` gave `caller` the permission, or that no rule did. Callers whom no rule names share their lines: a user may
    /// have 65,536 user IDs, each of which would otherwise have lines of its own.
    pub fn log_decision(&self, caller: &Caller, permission: Permission, rule: Option<&str>, is_named: bool) {
        let (key, value) = permission.key();
        let (alias, topic) = match permission {
            Permission::RoleAlias(alias) => (alias, ""),
            Permission::Publish(topic) | Permission::Subscribe(topic) => ("", topic),
            Permission::Token(_) => ("", ""),
        };
        let (uid, gid, pid, unit) = match caller {
            Caller::Peer(peer) => (Some(peer.uid), Some(peer.gid), peer.pid, peer.unit.clone()),
            Caller::Bearer(_) => (None, None, None, None),
        };
        let kind = Kind {
            // A user is counted on each listener separately.
            caller: match caller {
                Caller::Peer(_) if !is_named => UNNAMED.to_owned(),
                Caller::Peer(_) => caller.account(),
                Caller::Bearer(_) => caller.to_string(),
            },
            unit: unit.clone().filter(|_| is_named),
            // A caller can invent any number of topics, but role aliases are configured.
            permission: format!("{key} {alias}"),
            rule: rule.map(str::to_owned),
        };
        let Some(suppressed) = self.count(kind, pid) else {
            return;
        };
        // A journal field without a value is empty.
        let number = |number: Option<String>| number.unwrap_or_default();
        let (level, event, decision, by) = match rule {
            Some(rule) => (Level::Info, Event::AccessAllowed, "allowed", format!("by {rule}")),
            None => (
                Level::Warn,
                Event::AccessRefused,
                "refused",
                "because no rule grants it".to_owned(),
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
            describe(key, value),
            suppressed_remark(suppressed)
        );
    }

    /// Counts a decision. Returns `None` if it is not to be logged, else how many before it were suppressed.
    fn count(&self, kind: Kind, pid: Option<i32>) -> Option<u32> {
        let now = self.clock.boot();
        let mut kinds = self.kinds.borrow_mut();
        let mut suppressed = 0;
        if let Some(count) = kinds.get_mut(&kind) {
            if now.saturating_sub(count.since) < WINDOW {
                return count.record(pid).then_some(0);
            }
            suppressed = count.decisions - count.logged;
        } else if kinds.len() >= MAX_KINDS {
            let oldest = kinds.iter().min_by_key(|(_, count)| count.since);
            if let Some(oldest) = oldest.map(|(kind, _)| kind.clone()) {
                kinds.remove(&oldest);
            }
        }
        let count = Count {
            since: now,
            decisions: 1,
            logged: 1,
            processes: pid.into_iter().collect(),
        };
        kinds.insert(kind, count);
        Some(suppressed)
    }
}

fn describe(key: &str, value: &str) -> String {
    let kind = if key == "role-aliases" { "role alias" } else { key };
    format!("{kind} {}", value.escape_debug())
}

fn suppressed_remark(suppressed: u32) -> String {
    match suppressed {
        0 => String::new(),
        suppressed => format!(" ({suppressed} similar ones before it were not logged)"),
    }
}

#[cfg(test)]
mod tests;
