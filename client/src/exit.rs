//! How the command ends: an exit code out of sysexits.h and, unless all went well, the reason on stderr.

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
    /// EX_DATAERR: this message will not arrive as it is: too large, refused by AWS, or dropped before AWS had it.
    Data = 65,
    /// EX_NOINPUT: there is no such role alias, message, subscription or field.
    Unknown = 66,
    /// EX_NOHOST: `status`, `check`: the daemon is not running, and does not start by itself.
    NotRunning = 68,
    /// EX_UNAVAILABLE: the daemon is not running, or has nothing valid yet.
    Unavailable = 69,
    /// EX_CANTCREAT: there is no room for the message, in the outbox or on the disk.
    Full = 73,
    /// EX_IOERR: stdin could not be read, or the answer not be written to stdout.
    Output = 74,
    /// EX_TEMPFAIL: trying again may help; or the message is kept, and what became of it was not waited for.
    Temporary = 75,
    /// EX_PROTOCOL: what came back is no answer of a gatepost daemon.
    Protocol = 76,
    /// EX_NOPERM: the access rules or the permissions of the socket deny it, or the token has rejected the PIN.
    NotAllowed = 77,
    /// EX_CONFIG: the daemon runs and waits for a person: its configuration or the factory's must change.
    Attention = 78,
    /// As a shell: the program is there and cannot be executed.
    NotExecutable = 126,
    /// As a shell: there is no such program.
    NoProgram = 127,
}

impl Exit {
    /// Returns the more urgent of two: first a rejected PIN, then what an administrator must fix, then what resolves itself.
    pub(crate) fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotAllowed, _) | (_, Self::NotAllowed) => Self::NotAllowed,
            (Self::Attention, _) | (_, Self::Attention) => Self::Attention,
            (Self::Ok, other) => other,
            (other, _) => other,
        }
    }

    /// The same, but for a state that is ready by itself and yet not what was waited for.
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

/// Why the command could not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// Nothing to say when stdout's reader has left: that is its right.
    message: Option<String>,
    hint: Option<String>,
    /// Whether nobody listens on the socket.
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

    /// The same, and what it is about.
    pub(crate) fn about(self, what: impl std::fmt::Display) -> Self {
        Self {
            message: self.message.map(|message| format!("{what}: {message}")),
            ..self
        }
    }

    /// Says the reason on stderr. A closed stderr changes nothing: the exit code still tells.
    pub(crate) fn report(self) -> ExitCode {
        let _ = std::io::stderr().write_all(self.text().as_bytes());
        self.exit.into()
    }

    /// The reason and what to do, a line each; empty where there is nothing to say. Lines of a file that are to be added
    /// stand alone, so that they can be copied.
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

    /// Nobody listens on the socket.
    pub(crate) fn no_daemon(message: impl Into<String>) -> Self {
        Self {
            is_no_daemon: true,
            ..Self::new(Exit::Unavailable, message)
        }
    }

    /// The same for whoever asks about the daemon itself: one that does not run is not one that waits.
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

    /// Returns the reason, in the words it was made with.
    pub(crate) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// Returns the advice that goes with the reason.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
