//! What is, since when, and why: one part for each room, reported by the room, read by the local wing.
//!
//! Reporting is also where transitions are logged, once each, in the very words that the status shows.

mod board;
mod configuration;
mod details;
mod latencies;
mod phases;
mod repeats;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use log::Level;
use serde::Serialize;
use tokio::sync::watch;

pub use board::{
    ClockPart, IdentityPart, LoopbackPart, MessagesPart, NetworkPart, ProvisioningPart, SessionPart, StatusBoard,
    TokenPart,
};
pub use configuration::{ConfigurationDetails, ConfigurationPart, ConfigurationPhase, Loaded, ReloadOutcome};
pub(crate) use details::hash_of;
pub use details::{
    ClockDetails, Details, EnrolmentDetails, IdentityDetails, LoopbackDetails, MessagesDetails, NetworkDetails,
    ProvisioningDetails, SessionDetails, SetAsideDetails, TakeoverDetails, TokenDetails,
};
pub use latencies::Latencies;
pub(crate) use phases::phases;
pub use phases::{
    ClockPhase, IdentityPhase, LoopbackPhase, MessagesPhase, NetworkPhase, Phase, ProvisioningPhase, SessionPhase,
    TokenPhase,
};
pub use repeats::Repeats;

use crate::clock::{Clock, SharedClock, rfc3339};
use crate::event::journal;
use crate::log_limiter::ProblemLimiter;
use crate::problem::{Problem, Remedy};

/// One part's state at a moment.
#[derive(Clone, Debug)]
pub struct Part<P, D> {
    /// The state's name.
    pub phase: P,
    /// When the phase was entered, by the boottime clock (a wall clock set later would lie about it).
    pub since: Duration,
    /// What keeps the part from its best phase.
    pub problem: Option<Problem>,
    /// What else there is to know.
    pub details: D,
}

/// Where reporters come from: what they share.
#[derive(Clone, Debug)]
pub struct StatusHub {
    clock: SharedClock,
    changed: watch::Sender<()>,
}

impl StatusHub {
    /// A desk whose reporters tell time by `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            changed: watch::Sender::new(()),
        }
    }

    /// A part called `name` in the journal, starting in `phase`.
    pub fn reporter<P, D>(&self, name: impl Into<String>, phase: P, details: D) -> Reporter<P, D> {
        let part = Part {
            phase,
            since: self.clock.boot(),
            problem: None,
            details,
        };
        Reporter {
            name: name.into(),
            hub: self.clone(),
            sender: watch::Sender::new(part),
            limiter: Mutex::default(),
        }
    }

    /// Rings the bell: there are other parts than before, or what they say together has changed though none of them has.
    pub fn ring(&self) {
        self.changed.send_replace(());
    }

    /// Rings whenever any part has changed its phase or its problem.
    pub fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

/// The reporting end of a part.
#[derive(Debug)]
pub struct Reporter<P, D> {
    name: String,
    hub: StatusHub,
    sender: watch::Sender<Part<P, D>>,
    limiter: Mutex<ProblemLimiter<(String, Problem)>>,
}

impl<P: Phase, D: Details> Reporter<P, D> {
    /// A reading end.
    pub fn watch(&self) -> watch::Receiver<Part<P, D>> {
        self.sender.subscribe()
    }

    /// The phase as last reported.
    pub fn phase(&self) -> P {
        self.sender.borrow().phase
    }

    /// Enters `phase` (or stays in it) because of `problem`, and logs it if either is new.
    pub fn report(&self, phase: P, problem: Option<Problem>) {
        self.report_with(phase, problem, |_| {});
    }

    /// Like [`report`](Self::report), and changes the details in the same step.
    pub fn report_with(&self, phase: P, problem: Option<Problem>, change: impl FnOnce(&mut D)) {
        let (news, known_problem, input) = {
            let part = self.sender.borrow();
            let known = part.problem.is_some() && part.problem == problem;
            let news = part.phase != phase || part.problem != problem;
            (news, known, part.details.verdict_input())
        };
        let now = self.hub.clock.boot();
        self.sender.send_modify(|part| {
            if part.phase != phase {
                part.phase = phase;
                part.since = now;
            }
            part.problem = problem;
            change(&mut part.details);
        });
        if news {
            self.log(&self.sender.borrow(), known_problem);
        }
        if news || self.sender.borrow().details.verdict_input() != input {
            self.hub.ring();
        }
    }

    /// Changes the details only; nothing is logged.
    pub fn details(&self, change: impl FnOnce(&mut D)) {
        let input = self.sender.borrow().details.verdict_input();
        self.sender.send_modify(|part| change(&mut part.details));
        if self.sender.borrow().details.verdict_input() != input {
            self.hub.ring();
        }
    }

    /// A problem is news once; that the attempts go on under it is for whoever looks closer.
    fn log(&self, part: &Part<P, D>, known_problem: bool) {
        let Part {
            phase,
            problem,
            details,
            ..
        } = part;
        let level = match problem.as_ref().map(|problem| problem.remedy) {
            _ if known_problem => Level::Debug,
            None | Some(Remedy::None) => Level::Info,
            Some(Remedy::Wait) => Level::Warn,
            Some(Remedy::Configuration | Remedy::Factory) => Level::Error,
        };
        let named = problem.as_ref().and_then(|problem| problem.event);
        let step = problem.as_ref().and_then(|problem| problem.next_step.as_deref());
        let (name, what) = (&self.name, problem.as_ref().map(|problem| format!(": {problem}")));
        let write = |level: Level, end: &str| {
            journal!(
                level,
                named.unwrap_or_else(|| phase.event()),
                // A field without a value is an empty one; the catalog shows the next step as it stands.
                ROLE_ALIAS = details.role_alias().unwrap_or_default(),
                THING_NAME = details.thing_name().unwrap_or_default(),
                NEXT_STEP = step.unwrap_or("nothing");
                "{name}: {phase}{}{end}", what.as_deref().unwrap_or_default()
            );
        };
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            // Causes that take turns would be news each time.
            Some(problem) if level < Level::Debug => {
                limiter.one_more((phase.to_string(), problem.clone()), level, write)
            }
            Some(_) => write(level, ""),
            None => {
                limiter.recover();
                write(level, "");
            }
        }
    }
}

/// A part as the status document shows it.
#[derive(Debug, Serialize)]
pub struct PartDocument<D> {
    phase: String,
    since: String,
    problem: Option<Problem>,
    #[serde(flatten)]
    details: D,
}

impl<P: fmt::Display, D: Clone> Part<P, D> {
    /// The part in the form of the status document, its `since` told by today's wall clock.
    pub fn document(&self, clock: &dyn Clock) -> PartDocument<D> {
        let ago = clock.boot().saturating_sub(self.since);
        PartDocument {
            phase: self.phase.to_string(),
            since: rfc3339(clock.wall().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)),
            problem: self.problem.clone(),
            details: self.details.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    #[test]
    fn since_is_when_the_phase_began_and_survives_a_clock_step() {
        let clock = ManualClock::at(100);
        let reporter = StatusHub::new(clock.clone()).reporter("clock", ClockPhase::Unset, ClockDetails::default());
        clock.pass(Duration::from_secs(50));
        reporter.report(ClockPhase::Unset, Some(Problem::wait("not yet")));
        let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        clock.step_to(today);
        let document = reporter.watch().borrow().document(&*clock);
        assert_eq!(document.since, rfc3339(today - Duration::from_secs(50)));
        reporter.report(ClockPhase::Set, None);
        assert_eq!(reporter.watch().borrow().document(&*clock).since, rfc3339(today));
    }
}
