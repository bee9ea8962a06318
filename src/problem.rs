//! Problems: what is wrong, who can fix it, and how.
//!
//! A [`Problem`] is worded once, where it is detected. The journal, the status document and the HTTP error all show the same sentence.

use std::fmt;

use serde::Serialize;

use crate::event::Event;
pub use crate::foreign_text::{clean as quoted, with_causes};

/// The person or event that fixes a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Remedy {
    /// Nobody has to: this is expected, and reported so that it is not mistaken for a fault.
    None,
    /// It resolves itself; gatepost keeps trying.
    Wait,
    /// An administrator, by changing a file, a policy or an account.
    Configuration,
    /// Someone with access to the device: a token is locked or broken.
    Factory,
}

/// One problem: the affected thing, the cause and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The person or event that fixes it.
    pub remedy: Remedy,
    /// The affected thing and the cause, as one sentence without a full stop.
    pub message: String,
    /// The next step for the reader; `None` if there is nothing to do but wait.
    pub next_step: Option<String>,
    /// Its event in the journal, if the event of the phase is not specific enough.
    #[serde(skip)]
    pub event: Option<Event>,
    /// Whether the cause is that this process may not read a file.
    #[serde(skip)]
    pub is_denied: bool,
}

impl Problem {
    /// Creates a problem that is expected.
    pub fn expected(message: impl Into<String>) -> Self {
        Self::new(Remedy::None, message)
    }

    /// Creates a problem that resolves itself.
    pub fn wait(message: impl Into<String>) -> Self {
        Self::new(Remedy::Wait, message)
    }

    /// Creates a problem that an administrator can fix by changing a file, a policy or an account.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(Remedy::Configuration, message)
    }

    /// Creates a problem that only someone with access to the device can fix.
    pub fn factory(message: impl Into<String>) -> Self {
        Self::new(Remedy::Factory, message)
    }

    /// Adds the next step.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next_step = Some(step.into());
        self
    }

    /// Sets the event under which it is logged.
    #[must_use]
    pub fn about(mut self, event: Event) -> Self {
        self.event = Some(event);
        self
    }

    /// Records whether `error`, the cause, is that this process lacks a permission of the file system.
    #[must_use]
    pub fn caused_by(mut self, error: &std::io::Error) -> Self {
        self.is_denied = error.kind() == std::io::ErrorKind::PermissionDenied;
        self
    }

    /// Joins several problems into one. The first one decides who can fix it.
    pub fn joined(problems: Vec<Self>) -> Option<Self> {
        problems.into_iter().reduce(|all, one| {
            let steps = [all.next_step, one.next_step];
            let mut steps: Vec<String> = steps.into_iter().flatten().collect();
            steps.dedup();
            Self {
                remedy: all.remedy,
                message: format!("{}; {}", all.message, one.message),
                next_step: Some(steps.join("; ")).filter(|steps| !steps.is_empty()),
                event: all.event.or(one.event),
                is_denied: all.is_denied && one.is_denied,
            }
        })
    }

    fn new(remedy: Remedy, message: impl Into<String>) -> Self {
        Self {
            remedy,
            message: message.into(),
            next_step: None,
            event: None,
            is_denied: false,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.next_step {
            Some(step) => write!(f, "{}; next: {step}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Problem {}

/// A problem that ends the process, and its exit code.
#[derive(Debug)]
pub struct Fatal {
    /// The exit code.
    pub exit: Exit,
    /// The problem.
    pub problem: Problem,
}

/// The exit codes of gatepostd: sysexits(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// EX_USAGE: wrong command line.
    Usage = 64,
    /// EX_DATAERR: a file that was passed cannot be used.
    Data = 65,
    /// EX_NOUSER: there is no such user.
    NoUser = 67,
    /// EX_NOHOST: gatepostd is not running and will not be started automatically. Used by commands that query it, never by itself.
    NotRunning = 68,
    /// EX_UNAVAILABLE: something that is needed is not available yet.
    Unavailable = 69,
    /// EX_SOFTWARE: the token cannot be opened with the configuration in the files; the next start uses the last good one.
    LastGood = 70,
    /// EX_OSERR: the system does not provide a basic resource (a thread, a pipe, a clock).
    System = 71,
    /// EX_CANTCREAT: a folder or a socket of gatepost cannot be created or written.
    CannotCreate = 73,
    /// EX_TEMPFAIL: another instance is running.
    Busy = 75,
    /// EX_NOPERM: the PIN was rejected or is locked. systemd does not restart the daemon, because each attempt counts against the token.
    /// Commands use the same code for [`NO_PERMISSION`](Self::NO_PERMISSION).
    Pin = 77,
    /// EX_CONFIG: the configuration is wrong. systemd does not restart the daemon, because only a change can fix it.
    Configuration = 78,
}

impl Fatal {
    /// Creates the error that ends the process with `exit` because of `problem`.
    pub fn new(exit: Exit, problem: Problem) -> Self {
        Self { exit, problem }
    }
}

impl Exit {
    /// EX_NOPERM for a command: its user may not read what the command needs. The daemon never ends with this meaning.
    pub const NO_PERMISSION: Self = Self::Pin;

    /// Returns the exit code of a command that queries a daemon that has ended with this code. It distinguishes faults that must be
    /// fixed before the next start from a daemon that is merely not running.
    pub fn for_query(self) -> Self {
        match self {
            Self::Pin | Self::Configuration => self,
            Self::Usage => Self::Configuration,
            _ => Self::NotRunning,
        }
    }

    /// Converts a number back to a code that [`for_query`](Self::for_query) returns.
    pub fn from_query(code: u8) -> Self {
        match code {
            77 => Self::Pin,
            78 => Self::Configuration,
            69 => Self::Unavailable,
            _ => Self::NotRunning,
        }
    }

    /// Returns the journal event of an end with this code.
    pub fn event(self) -> Event {
        match self {
            Self::Configuration | Self::LastGood => Event::FatalConfiguration,
            Self::Pin => Event::FatalPin,
            Self::Busy => Event::FatalBusy,
            Self::CannotCreate => Event::FatalFolder,
            Self::Usage | Self::Data | Self::NoUser | Self::NotRunning | Self::Unavailable | Self::System => {
                Event::FatalOther
            }
        }
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Fatal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_thing_cause_and_next_step() {
        let problem = Problem::factory("the PIN of token \"gw\" is locked").next("unlock it with the SO PIN");
        assert_eq!(
            problem.to_string(),
            "the PIN of token \"gw\" is locked; next: unlock it with the SO PIN"
        );
    }
}
