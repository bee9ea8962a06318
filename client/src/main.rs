//! `gatepost`, the command: asks the daemon on this machine and prints its answer.

mod arguments;
mod credentials;
mod csr;
mod daemon;
mod env;
mod exit;
mod gatepostd;
mod help;
mod http;
mod instant;
mod json;
mod outbox;
mod output;
mod percent;
mod printable;
mod publish;
mod setup_profile;
mod sign;
mod size;
mod status;
mod subscribe;
mod subscriptions;
mod table;
mod words;

use std::process::ExitCode;

use arguments::{Command, Invocation};
use exit::{Exit, Failure};

fn main() -> ExitCode {
    match run() {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<Exit, Failure> {
    let Invocation { socket, command } = arguments::parse(
        std::env::args_os().skip(1),
        std::env::var_os(arguments::SOCKET_VARIABLE),
    )?;
    match command {
        Command::Credentials { alias } => credentials::run(&socket, alias.as_deref()),
        Command::Status(view) => status::run(&socket, view),
        Command::Csr => csr::run(&socket),
        Command::Env { alias } => env::run(&socket, alias.as_deref()),
        Command::Sign(request) => sign::run(&socket, &request),
        Command::Publish(wanted) => publish::run(&socket, &wanted),
        Command::Subscribe(wanted) => subscribe::run(&socket, &wanted),
        Command::Subscriptions(wish) => subscriptions::run(&socket, &wish),
        Command::Outbox(wish) => outbox::run(&socket, &wish),
        Command::SetupProfile(wanted) => setup_profile::run(&wanted),
        Command::Gatepostd { wish, arguments } => gatepostd::become_it(wish, &arguments, &socket),
        Command::Help(topic) => output::print(help::text(topic).as_bytes()),
        Command::Version => output::print(concat!("gatepost ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()),
    }
}
