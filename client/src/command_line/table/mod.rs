//! All commands, in the order of the help.

mod exit_codes;
mod gatepostd;
mod identity;
mod messages;
mod operator;
mod programs;

pub use exit_codes::EXIT_CODES;
pub use gatepostd::{GATEPOSTD, GATEPOSTD_MODES};
#[cfg(test)]
pub(crate) use identity::WAIT_STATES;

use super::spec::{Command, CommandOption};

/// All commands.
pub static COMMANDS: &[Command] = &[
    programs::CREDENTIALS,
    identity::STATUS,
    identity::WAIT,
    identity::CHECK,
    identity::CSR,
    identity::RELOAD,
    programs::SETUP_PROFILE,
    programs::ENV,
    programs::EXEC,
    programs::SIGN,
    programs::TOKEN,
    identity::POLICY,
    messages::PUBLISH,
    messages::SUBSCRIBE,
    messages::SUBSCRIPTIONS,
    messages::OUTBOX,
    operator::RETRY,
    operator::RENEW,
    operator::CERTIFICATE,
    operator::ALLOW,
    operator::LOG_LEVEL,
    operator::SUPPORT,
    identity::HELP,
];

/// The options that every command accepts.
pub static GLOBAL_OPTIONS: &[CommandOption] = &[
    CommandOption::value(
        "--socket",
        "PATH",
        "the daemon's socket (default: $GATEPOST_SOCKET, else /run/gatepost/gatepost.sock)",
    ),
    CommandOption::flag("--help", "this text, or help for a command").short("-h"),
    CommandOption::flag("--version", "the version of this command").short("-V"),
];

/// Finds a command by its name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}
