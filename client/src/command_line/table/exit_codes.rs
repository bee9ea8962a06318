//! The meanings of exit codes, for the help.

/// The exit codes of all commands, from sysexits.h.
pub static EXIT_CODES: &[(u8, &str)] = &[
    (64, "wrong usage"),
    (65, "the message or the certificate is refused"),
    (66, "no such role alias, message or subscription"),
    (68, "status, check and wait: the daemon is not running"),
    (69, "not ready, or the daemon is not running"),
    (73, "no room for a message, or a file cannot be written"),
    (74, "stdin or stdout fails"),
    (75, "temporary: try again"),
    (76, "the response is not from a gatepost daemon"),
    (77, "not allowed"),
    (78, "an administrator must act"),
];

/// The meaning of exit code 69 for most commands.
pub(super) const NOT_RUNNING: (u8, &str) = (69, "the daemon is not running");
/// The meaning of exit code 77 for most commands.
pub(super) const NOT_ALLOWED: (u8, &str) = (77, "not allowed");
/// The meaning of exit code 66 for commands that take a role alias.
pub(super) const NO_ALIAS: (u8, &str) = (66, "no such role alias");
