//! The status of a part, and the reporter that updates and logs it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use log::Level;
use serde::Serialize;
use tokio::sync::watch;

use super::details::Details;
use super::phases::Phase;
use crate::clock::{Clock, SharedClock, rfc3339};
use crate::event::journal;
use crate::log_limiter::ProblemLimiter;
use crate::problem::{Problem, Remedy};

/// The status of a part at one moment.
#[derive(Clone, Debug)]
pub struct Part<P, D> {
    /// The phase.
    pub phase: P,
    /// Time at which the phase was entered, by the boottime clock: the wall clock may be set later.
    pub since: Duration,
    /// The problem that keeps the part from its best phase.
    pub problem: Option<Problem>,
    /// Status fields besides the phase.
    pub details: D,
}

/// Creates reporters, and notifies listeners of changes that any of them reports.
#[derive(Clone, Debug)]
pub struct StatusHub {
    clock: SharedClock,
    changed: watch::Sender<()>,
}

impl StatusHub {
    /// Creates a hub whose reporters use `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            changed: watch::Sender::new(()),
        }
    }

    /// Creates the reporter of a part that is called `name` in the journal and starts in `phase`.
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

    /// Notifies all listeners: parts were added or removed, or the verdict has changed although no part has.
    pub fn notify(&self) {
        self.changed.send_replace(());
    }

    /// Returns a receiver that is notified whenever a part changes its phase, its problem, or details that the verdict depends on.
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
    /// Returns a receiver of the status.
    pub fn watch(&self) -> watch::Receiver<Part<P, D>> {
        self.sender.subscribe()
    }

    /// Returns the phase as last reported.
    pub fn phase(&self) -> P {
        self.sender.borrow().phase
    }

    /// Reports `phase` and `problem`, and logs them if either has changed.
    pub fn report(&self, phase: P, problem: Option<Problem>) {
        self.report_with(phase, problem, |_| {});
    }

    /// Does the same as [`report`](Self::report), and changes the details in the same step.
    pub fn report_with(&self, phase: P, problem: Option<Problem>, change: impl FnOnce(&mut D)) {
        let (has_changed, is_known, input) = {
            let part = self.sender.borrow();
            let is_known = part.problem.is_some() && part.problem == problem;
            let has_changed = part.phase != phase || part.problem != problem;
            (has_changed, is_known, part.details.verdict_input())
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
        if has_changed {
            self.log(&self.sender.borrow(), is_known);
        }
        if has_changed || self.sender.borrow().details.verdict_input() != input {
            self.hub.notify();
        }
    }

    /// Changes the details only, which is not logged.
    pub fn details(&self, change: impl FnOnce(&mut D)) {
        let input = self.sender.borrow().details.verdict_input();
        self.sender.send_modify(|part| change(&mut part.details));
        if self.sender.borrow().details.verdict_input() != input {
            self.hub.notify();
        }
    }

    /// Logs a transition. One with a problem that is known already is logged at level debug.
    fn log(&self, part: &Part<P, D>, is_known: bool) {
        let Part {
            phase,
            problem,
            details,
            ..
        } = part;
        let level = match problem.as_ref().map(|problem| problem.remedy) {
            _ if is_known => Level::Debug,
            None | Some(Remedy::None) => Level::Info,
            Some(Remedy::Wait) => Level::Warn,
            Some(Remedy::Configuration | Remedy::Factory) => Level::Error,
        };
        let event = problem.as_ref().and_then(|problem| problem.event);
        let step = problem.as_ref().and_then(|problem| problem.next_step.as_deref());
        let (name, what) = (&self.name, problem.as_ref().map(|problem| format!(": {problem}")));
        let write = |level: Level, end: &str| {
            journal!(
                level,
                event.unwrap_or_else(|| phase.event()),
                // The catalog shows the next step as it is, so it must not be empty.
                ROLE_ALIAS = details.role_alias().unwrap_or_default(),
                THING_NAME = details.thing_name().unwrap_or_default(),
                NEXT_STEP = step.unwrap_or("nothing");
                "{name}: {phase}{}{end}", what.as_deref().unwrap_or_default()
            );
        };
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            // The limiter also recognises causes that alternate.
            Some(problem) if level < Level::Debug => limiter.write((phase.to_string(), problem.clone()), level, write),
            Some(_) => write(level, ""),
            None => {
                limiter.recover();
                write(level, "");
            }
        }
    }
}

/// A part in the status document.
#[derive(Debug, Serialize)]
pub struct PartDocument<D> {
    phase: String,
    since: String,
    problem: Option<Problem>,
    #[serde(flatten)]
    details: D,
}

impl<P: fmt::Display, D: Clone> Part<P, D> {
    /// Returns the part for the status document, with `since` converted to the current wall clock.
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
    use crate::status::{ClockDetails, ClockPhase};

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
