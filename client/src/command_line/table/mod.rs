//! Every command, in the order in which the help lists them.

mod identity;
mod messages;
mod operator;
mod programs;

use super::{Command, CommandOption};

/// Every command.
pub static COMMANDS: &[Command] = &[
    programs::CREDENTIALS,
    identity::STATUS,
    identity::WAIT,
    identity::CHECK,
    identity::CSR,
    programs::SETUP_PROFILE,
    programs::ENV,
    programs::SIGN,
    identity::POLICY,
    messages::PUBLISH,
    messages::SUBSCRIBE,
    messages::SUBSCRIPTIONS,
    messages::OUTBOX,
    operator::RETRY,
    operator::CERTIFICATE,
    operator::ALLOW,
    operator::LOG_LEVEL,
    operator::SUPPORT,
    identity::HELP,
];

/// The options of every command.
pub static GLOBAL_OPTIONS: &[CommandOption] = &[
    CommandOption::value(
        "--socket",
        "PATH",
        "the daemon's socket (default: $GATEPOST_SOCKET, else /run/gatepost/gatepost.sock)",
    ),
    CommandOption::flag("--help", "this text, or more about a command").short("-h"),
    CommandOption::flag("--version", "the version of this command").short("-V"),
];

/// The exit codes of all commands, from sysexits.h.
pub static EXIT_CODES: &[(u8, &str)] = &[
    (64, "wrong usage"),
    (65, "the message or the certificate is refused"),
    (66, "no such role alias, message or subscription"),
    (69, "not ready, or the daemon is not running"),
    (73, "no room for a message, or a file cannot be written"),
    (74, "stdin or stdout fails"),
    (75, "temporary: try again"),
    (76, "the socket's other end is not a gatepost daemon"),
    (77, "not allowed"),
    (78, "a person must act"),
];

/// The meaning of exit code 69 for most commands.
const NOT_RUNNING: (u8, &str) = (69, "the daemon is not running");
/// The meaning of exit code 77 for most commands.
const NOT_ALLOWED: (u8, &str) = (77, "not allowed");
/// The meaning of exit code 66 where a role alias is given.
const NO_ALIAS: (u8, &str) = (66, "no such role alias");
