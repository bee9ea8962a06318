//! What is wrong, sorted by what its reader can do about it.
//!
//! A [`Problem`] is worded once, where it arises, and then travels unchanged: the journal line, the status document and
//! the HTTP error all carry the same sentence.

use std::fmt;

use serde::Serialize;

use crate::event::Event;
pub use crate::foreign_text::{clean as quoted, with_causes};

/// Who can mend a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Remedy {
    /// Nothing is wrong: this is how it goes, and it is said so that nobody worries.
    None,
    /// It heals by itself; gatepost goes on trying.
    Wait,
    /// Somebody must change a file, a policy or an account.
    Configuration,
    /// The device itself needs hands: a locked or broken token.
    Factory,
}

/// One thing that keeps gatepost from its work: the thing, the cause and the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Who can mend it.
    pub remedy: Remedy,
    /// The thing and the cause, as one sentence without a final stop.
    pub message: String,
    /// What the reader should do or look at; `None` where there is nothing to do but wait.
    pub next_step: Option<String>,
    /// What the journal calls it, where the phase that it leads to says too little.
    #[serde(skip)]
    pub event: Option<Event>,
}

impl Problem {
    /// Something expected that only needs saying.
    pub fn expected(message: impl Into<String>) -> Self {
        Self::new(Remedy::None, message)
    }

    /// Something that heals by itself.
    pub fn wait(message: impl Into<String>) -> Self {
        Self::new(Remedy::Wait, message)
    }

    /// Something that a change of configuration mends.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(Remedy::Configuration, message)
    }

    /// Something that only hands on the device mend.
    pub fn factory(message: impl Into<String>) -> Self {
        Self::new(Remedy::Factory, message)
    }

    /// Adds the next step.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next_step = Some(step.into());
        self
    }

    /// Gives it a name of its own in the journal.
    #[must_use]
    pub fn about(mut self, event: Event) -> Self {
        self.event = Some(event);
        self
    }

    /// Several problems as one, where there is room for one only. The first decides who can mend it.
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
            }
        })
    }

    fn new(remedy: Remedy, message: impl Into<String>) -> Self {
        Self {
            remedy,
            message: message.into(),
            next_step: None,
            event: None,
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

/// Why the daemon ends, and with which of the sysexits(3) codes.
#[derive(Debug)]
pub struct Fatal {
    /// What to tell systemd and the shell.
    pub exit: Exit,
    /// What to tell people.
    pub problem: Problem,
}

/// The exit codes of gatepostd: sysexits(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// EX_USAGE: wrong command line.
    Usage = 64,
    /// EX_DATAERR: a file that was handed over cannot be used.
    Data = 65,
    /// EX_NOUSER: there is no such user.
    NoUser = 67,
    /// EX_NOHOST: gatepostd does not run, and nothing will start it by itself. For what looks at it, never its own.
    NotRunning = 68,
    /// EX_UNAVAILABLE: something that is needed is not there, and comes by itself.
    Unavailable = 69,
    /// EX_SOFTWARE: the token cannot be opened by the configuration in the files; the next start uses the last good one.
    LastGood = 70,
    /// EX_OSERR: the system refuses what any program may ask (a thread, a pipe, a clock).
    System = 71,
    /// EX_CANTCREAT: a folder or socket of ours cannot be made or written.
    CannotCreate = 73,
    /// EX_TEMPFAIL: another instance is running.
    Busy = 75,
    /// EX_NOPERM: the PIN was rejected or is locked. Not restarted: each try counts against the token.
    /// For a command that somebody starts also [`NO_PERMISSION`](Self::NO_PERMISSION).
    Pin = 77,
    /// EX_CONFIG: the configuration. Not restarted: only a change mends it.
    Configuration = 78,
}

impl Fatal {
    /// Ends the process with `exit` because of `problem`.
    pub fn new(exit: Exit, problem: Problem) -> Self {
        Self { exit, problem }
    }
}

impl Exit {
    /// EX_NOPERM, for a command: its user may not read what the command needs. The daemon never ends so.
    pub const NO_PERMISSION: Self = Self::Pin;

    /// The code for whoever looks at a daemon that has ended with this one: what must be changed before it is started again is
    /// told apart from what is merely not running.
    pub fn for_looking(self) -> Self {
        match self {
            Self::Pin | Self::Configuration => self,
            Self::Usage => Self::Configuration,
            _ => Self::NotRunning,
        }
    }

    /// The reverse of `as u8` for the codes that [`for_looking`](Self::for_looking) gives.
    pub fn of_looking_at(code: u8) -> Self {
        match code {
            77 => Self::Pin,
            78 => Self::Configuration,
            69 => Self::Unavailable,
            _ => Self::NotRunning,
        }
    }

    /// What the journal calls such an end.
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
