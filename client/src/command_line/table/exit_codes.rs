//! The meanings of exit codes, for the help.

/// The exit codes of all commands, numbered like sysexits.h as far as that fits (`Exit` names them). Commands about the
/// daemon itself have a code of their own for a daemon that is not running, because 69 means that it is not ready.
pub static EXIT_CODES: &[(u8, &str)] = &[
    (64, "wrong usage"),
    (65, "the message or the certificate is refused"),
    (66, "no such role alias, message or subscription"),
    (68, "status, check and wait: the daemon is not running"),
    (69, "not ready, or the daemon is not running"),
    (73, "no room for a message, or a file cannot be written"),
    (74, "I/O error on stdin or stdout"),
    (75, "temporary failure: try again"),
    (76, "the response is not from a gatepost daemon"),
    (77, "not allowed"),
    (78, "an administrator must act"),
];

/// The meaning of exit code 69 in the help of most commands, for which the one above is too wide.
pub(super) const NOT_RUNNING: (u8, &str) = (69, "the daemon is not running");
/// The meaning of exit code 77 for most commands.
pub(super) const NOT_ALLOWED: (u8, &str) = (77, "not allowed");
/// The meaning of exit code 66 for commands that take a role alias.
pub(super) const NO_ALIAS: (u8, &str) = (66, "no such role alias");
