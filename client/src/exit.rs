//! The end of the command: an exit code from sysexits.h and, on failure, the reason on stderr.

use std::io::Write;
use std::process::ExitCode;

use crate::printable::printable;

/// The exit codes, as sysexits.h numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Ok = 0,
    /// EX_USAGE: the command line is wrong.
    Usage = 64,
    /// EX_DATAERR: the message cannot be delivered: too large, refused by AWS, or dropped before AWS had it.
    Data = 65,
    /// EX_NOINPUT: there is no such role alias, message, subscription or field.
    Unknown = 66,
    /// EX_NOHOST: for `status`, `check` and `wait`, the daemon is not running, and does not start by itself.
    NotRunning = 68,
    /// EX_UNAVAILABLE: the daemon is not running, or has no valid answer yet.
    Unavailable = 69,
    /// EX_CANTCREAT: there is no room for the message, in the outbox or on the disk.
    Full = 73,
    /// EX_IOERR: stdin could not be read, or the output could not be written to stdout.
    Output = 74,
    /// EX_TEMPFAIL: trying again may help; or the message is stored, but its outcome was not awaited.
    Temporary = 75,
    /// EX_PROTOCOL: the response does not come from a gatepost daemon.
    Protocol = 76,
    /// EX_NOPERM: the access rules or the permissions of the socket deny it, or the token has rejected the PIN.
    NotAllowed = 77,
    /// EX_CONFIG: the daemon runs but needs a person: its configuration or the factory's must change.
    Attention = 78,
    /// As in a shell: the program exists but cannot be executed.
    NotExecutable = 126,
    /// As in a shell: there is no such program.
    NoProgram = 127,
}

impl Exit {
    /// Returns the more urgent of the two: first a rejected PIN, then a problem for an administrator, then a temporary one.
    pub(crate) fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotAllowed, _) | (_, Self::NotAllowed) => Self::NotAllowed,
            (Self::Attention, _) | (_, Self::Attention) => Self::Attention,
            (Self::Ok, other) => other,
            (other, _) => other,
        }
    }

    /// Does the same for a ready gateway that has not reached the state that was waited for.
    pub(crate) fn unless_ready(self) -> Self {
        match self {
            Self::Ok => Self::Unavailable,
            other => other,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The reason why the command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// The message; `None` if the reader of stdout has gone, which is not an error.
    message: Option<String>,
    hint: Option<String>,
    /// Whether no process listens on the socket.
    is_no_daemon: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: Some(message.into()),
            hint: None,
            is_no_daemon: false,
        }
    }

    pub(crate) fn silent(exit: Exit) -> Self {
        Self {
            exit,
            message: None,
            hint: None,
            is_no_daemon: false,
        }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Prefixes the message with its subject.
    pub(crate) fn about(self, what: impl std::fmt::Display) -> Self {
        Self {
            message: self.message.map(|message| format!("{what}: {message}")),
            ..self
        }
    }

    /// Prints the reason on stderr. A closed stderr changes nothing: the exit code is still right.
    pub(crate) fn report(self) -> ExitCode {
        let _ = std::io::stderr().write_all(self.text().as_bytes());
        self.exit.into()
    }

    /// Returns the reason and what to do, a line each; empty if there is no message. Lines to be added to a file stand alone, so that they
    /// can be copied.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(message) = &self.message {
            text.push_str(&format!("gatepost: {}\n", printable(message)));
        }
        if let Some(hint) = &self.hint {
            let prefix = if hint.trim().contains('\n') { "" } else { "gatepost: " };
            for line in hint.trim().lines() {
                text.push_str(&format!("{prefix}{}\n", printable(line)));
            }
        }
        text
    }

    /// Creates the failure of a socket on which no process listens.
    pub(crate) fn no_daemon(message: impl Into<String>) -> Self {
        Self {
            is_no_daemon: true,
            ..Self::new(Exit::Unavailable, message)
        }
    }

    /// Does the same for a caller that asks about the daemon itself: a daemon that is not running differs from one that waits.
    pub(crate) fn about_the_daemon(self) -> Self {
        match self.is_no_daemon {
            true => Self {
                exit: Exit::NotRunning,
                ..self
            },
            false => self,
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Returns the reason, without prefixes.
    pub(crate) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// Returns the hint that belongs to the reason.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
