//! The command lines of `gatepost` and `gatepostd`.
//!
//! [`COMMANDS`] and [`GATEPOSTD`] are the only descriptions of them. The parser, `--help`, the man page and the shell completions are all made
//! from these tables.

pub mod help;
mod matches;
mod parse;
mod socket;
mod spec;
mod suggest;
mod table;
mod words;

pub(crate) use matches::Matches;
pub(crate) use parse::{Action, parse};
pub use socket::{DEFAULT_SOCKET, SOCKET_VARIABLE};
pub use spec::{Command, CommandOption, Form, Mode, Operand, Program};
pub(crate) use suggest::did_you_mean;
#[cfg(test)]
pub(crate) use table::WAIT_STATES;
pub use table::{COMMANDS, EXIT_CODES, GATEPOSTD, GATEPOSTD_MODES, GLOBAL_OPTIONS, find};
pub use words::Words;

#[cfg(test)]
pub(crate) mod tests;
