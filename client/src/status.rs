//! `gatepost status`: what the gateway is doing.

mod field;
mod report;
mod screen;
mod stopped;
mod watch;

use std::path::Path;

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::printable::{printable, printable_json};
use crate::terminal::Terminal;
use crate::words::text;
use crate::{daemon, output};

/// Prints the status; the exit code tells the state to scripts.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let (json, field) = (matches.flag("--json"), matches.value("--field"));
    if field.is_some() && (json || matches.flag("--watch")) {
        return Err(matches.usage_error("--field stands alone"));
    }
    if matches.flag("--watch") {
        return watch::run(socket, json);
    }
    let (body, document) = look(socket)?;
    if let Some(path) = field {
        let value = field::select(&document, text(path)?)?;
        return output::print(format!("{}\n", printable(&value)).as_bytes());
    }
    match json {
        true => output::print(&line(&body))?,
        false => output::print(report::draw(&document, Terminal::of_stdout()).as_bytes())?,
    };
    Ok(exit(&document))
}

/// The exit code that a document names; in that of an older daemon, the one of its state.
pub(crate) fn exit(document: &Value) -> Exit {
    match (document.get("exit_code").whole_number(), document.get("state").text()) {
        (Some(0), _) | (None, Some("ready")) => Exit::Ok,
        (Some(68), _) => Exit::NotRunning,
        // Of the token: it has rejected the PIN.
        (Some(77), _) => Exit::NotAllowed,
        (Some(78), _) | (None, Some("attention")) => Exit::Attention,
        // "waiting", or a state of a newer daemon: in either case not known to be ready.
        _ => Exit::Unavailable,
    }
}

/// The document about the daemon: its own, or why it does not run. Asking does not start it.
fn look(socket: &Path) -> Result<(Vec<u8>, Value), Failure> {
    match stopped::document(socket) {
        Some(told) => Ok(told),
        None => ask(socket).map_err(Failure::about_the_daemon),
    }
}

/// The same for whoever looks again and again: systemd is not asked each time.
fn look_again(socket: &Path) -> Result<(Vec<u8>, Value), Failure> {
    match stopped::left_behind(socket) {
        Some(told) => Ok(told),
        None => ask(socket).map_err(Failure::about_the_daemon),
    }
}

/// The daemon's document, as it came and understood.
pub(crate) fn ask(socket: &Path) -> Result<(Vec<u8>, Value), Failure> {
    let body = daemon::get(socket, "/v1/status")?;
    let document = Value::parse(&body).map_err(daemon::not_gatepost)?;
    match document.is_object() {
        true => Ok((body, document)),
        false => Err(daemon::not_gatepost("no JSON object")),
    }
}

/// The document as a line.
fn line(body: &[u8]) -> Vec<u8> {
    let line_end: &[u8] = if body.ends_with(b"\n") { b"" } else { b"\n" };
    printable_json(&[body, line_end].concat())
}
