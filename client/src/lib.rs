//! `gatepost`, the command: queries the daemon on this machine and prints its responses.
//!
//! It is a library so that the package's pages can be made from [`command_line`], fuzz targets can test its parsers ([`http`], [`json`]),
//! and the daemon shares code with the command ([`aws_files`], [`edit_distance`], [`unit_state`]).

pub mod aws_files;
mod certificate;
pub mod command_line;
mod credentials;
mod csr;
mod daemon;
pub mod edit_distance;
mod env;
mod exec;
mod exit;
mod gatepostd;
pub mod http;
mod instant;
pub mod json;
mod log_level;
mod outbox;
mod output;
mod percent;
mod printable;
mod publish;
mod reload;
mod renew;
mod retry;
mod setup_profile;
mod sign;
mod size;
mod status;
mod subscribe;
mod subscriptions;
mod table;
mod terminal;
mod token;
pub mod unit_state;
mod wait;
mod wait_timeout;
mod words;

use std::process::ExitCode;

use command_line::{Action, SOCKET_VARIABLE, help};
use exit::{Exit, Failure};

/// Runs the command given by the process's arguments.
pub fn main() -> ExitCode {
    match run() {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

/// The version and the commit, which the build script finds: `0.1.0 (1b144ab12345)`.
const VERSION_AND_COMMIT: &str = match option_env!("GATEPOST_VERSION") {
    Some(text) => text,
    None => env!("CARGO_PKG_VERSION"),
};

fn run() -> Result<Exit, Failure> {
    let arguments = std::env::args_os().skip(1);
    let invocation = command_line::parse(arguments, std::env::var_os(SOCKET_VARIABLE))?;
    match invocation.action {
        Action::Run(run, matches) => run(&invocation.socket, &matches),
        Action::Help(command) => output::print(help::text(command).as_bytes()),
        Action::Version => output::print(format!("gatepost {VERSION_AND_COMMIT}\n").as_bytes()),
    }
}
