//! `gatepost`, the command.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatepost_client::main()
}
