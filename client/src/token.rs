//! `gatepost token`: a web identity token for logging in to a service outside AWS.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::{daemon, output, percent};

/// Prints the token for an audience, and nothing else.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let audience = matches
        .operand(0)
        .map(|audience| audience.as_bytes())
        .unwrap_or_default();
    let body = daemon::get(socket, &format!("/v1/token?audience={}", percent::encode(audience)))?;
    let document = Value::parse(&body).map_err(daemon::not_gatepost)?;
    match document.get("Token").text() {
        Some(token) if !token.is_empty() => output::print(format!("{token}\n").as_bytes()),
        _ => Err(daemon::not_gatepost("\"Token\" is missing")),
    }
}
