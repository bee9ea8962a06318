//! The command line of `gatepost`.
//!
//! [`COMMANDS`] is the only description of it. The parser, `--help`, the man page and the shell completions are all made
//! from this table.

pub mod help;
mod parse;
mod spec;
mod suggest;
mod table;

pub(crate) use parse::{Action, Matches, parse};
pub use spec::{Command, CommandOption, Form, Operand};
pub use table::{COMMANDS, EXIT_CODES, GLOBAL_OPTIONS};

/// The socket of a packaged daemon.
pub const DEFAULT_SOCKET: &str = "/run/gatepost/gatepost.sock";
/// The environment variable that names another socket.
pub const SOCKET_VARIABLE: &str = "GATEPOST_SOCKET";

/// Finds a command by its name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

#[cfg(test)]
pub(crate) mod tests;
