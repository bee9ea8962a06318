//! `gatepost status`: the state of the gateway.

mod document;
mod field;
mod identity;
mod report;
mod screen;
mod stopped;
mod watch;

use std::path::Path;

pub(crate) use document::{ask, exit, look, look_again};

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::printable::printable;
use crate::terminal::Terminal;
use crate::words::text;
use document::{line, of_failure};

/// Prints the status. The exit code tells scripts the state.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let (json, field) = (matches.flag("--json"), matches.value("--field"));
    if field.is_some() && (json || matches.flag("--watch")) {
        return Err(matches.usage_error("--field cannot be combined with --json or --watch"));
    }
    if matches.flag("--watch") {
        return watch::run(socket, json);
    }
    let (body, document) = match look(socket) {
        // Programs that parse stdout get a document in any case.
        Err(failure) if json => return output::print(&line(of_failure(&failure).as_bytes())).and(Err(failure)),
        outcome => outcome?,
    };
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
