//! The cloudlet as a command: AWS IoT Core on this machine until it is told to stop.

mod arguments;
mod command;
mod greeting;
mod suggestion;

use std::io::Write;
use std::process::ExitCode;

use arguments::Order;

fn main() -> ExitCode {
    let done = Order::parse(lexopt::Parser::from_env()).and_then(|order| match order {
        Order::Run(arguments) => command::run(*arguments),
        Order::Say(text) => Ok(writeln!(std::io::stdout(), "{text}")?),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cloudlet: {error}");
            ExitCode::FAILURE
        }
    }
}
