//! The command line of `gatepost`.
//!
//! [`COMMANDS`] is the only description of it. The parser, `--help`, the man page and the shell completions are all made
//! from this table.

pub mod help;
mod matches;
mod parse;
mod socket;
mod spec;
mod suggest;
mod table;

pub(crate) use matches::Matches;
pub(crate) use parse::{Action, parse};
pub use socket::{DEFAULT_SOCKET, SOCKET_VARIABLE};
pub use spec::{Command, CommandOption, Form, Operand};
pub(crate) use suggest::did_you_mean;
#[cfg(test)]
pub(crate) use table::WAIT_STATES;
pub use table::{COMMANDS, EXIT_CODES, GLOBAL_OPTIONS, find};

#[cfg(test)]
pub(crate) mod tests;
