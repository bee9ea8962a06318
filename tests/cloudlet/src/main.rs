//! The cloudlet as a command: AWS IoT Core on this machine until it is told to stop.

mod arguments;
mod command;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    match Arguments::parse(lexopt::Parser::from_env()).and_then(command::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cloudlet: {error}");
            ExitCode::FAILURE
        }
    }
}
