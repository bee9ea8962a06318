//! `gatepost subscriptions`: durable subscriptions, for which the daemon stores messages.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::command_line::Matches;
use crate::daemon::{self, Connection, DISK};
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::json::Value;
use crate::size::size;
use crate::table::{self, row};
use crate::words::number;
use crate::{output, percent};

/// Lists, deletes or acknowledges durable subscriptions.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    match matches.verb {
        Some("delete") => {
            daemon::ask(socket, Request::delete(&path(matches.required(0))), DISK)?;
            Ok(Exit::Ok)
        }
        Some("ack") => {
            let id = number("ack", matches.required(1), "a message")?;
            Acknowledger::new(socket, matches.required(0)).acknowledge(id)?;
            Ok(Exit::Ok)
        }
        _ => list(socket, matches.flag("--json")),
    }
}

/// Acknowledges the messages of a durable subscription.
pub(crate) struct Acknowledger {
    connection: Connection,
    target: String,
}

impl Acknowledger {
    /// Creates an acknowledger for the subscription `name`.
    pub(crate) fn new(socket: &Path, name: &OsStr) -> Self {
        Self {
            connection: Connection::to(socket),
            target: format!("{}/ack", path(name)),
        }
    }

    /// Acknowledges all messages up to `id`.
    pub(crate) fn acknowledge(&mut self, id: u64) -> Result<(), Failure> {
        let request = Request::post_json(&self.target, &format!("{{\"id\":{id}}}"));
        let request = request.keep_open().again(true);
        let response = self.connection.ask(request, DISK)?;
        match response.status {
            200 => Ok(()),
            _ => Err(daemon::refusal(&response)),
        }
    }
}

fn path(name: &OsStr) -> String {
    format!("/subscriptions/{}", percent::encode(name.as_bytes()))
}

fn list(socket: &Path, json: bool) -> Result<Exit, Failure> {
    let document = daemon::ask_document(socket, Request::get("/subscriptions"), DISK)?;
    let subscriptions = document.get("subscriptions").items();
    if json {
        return output::print(&output::json_lines(subscriptions));
    }
    let mut rows = vec![row([
        "NAME", "WAITING", "SIZE", "DROPPED", "QOS", "STATE", "OWNER", "FILTER",
    ])];
    rows.extend(subscriptions.iter().map(as_row));
    output::print(table::draw(&rows).as_bytes())
}

fn as_row(subscription: &Value) -> Vec<String> {
    let number = |name| subscription.get(name).whole_number();
    let text = |name| subscription.get(name).text().unwrap_or_default().to_owned();
    let count = |name| number(name).map(|count| count.to_string()).unwrap_or_default();
    vec![
        text("name"),
        count("waiting"),
        number("waiting_bytes").map(size).unwrap_or_default(),
        count("dropped"),
        count("qos"),
        match subscription.get("suspended").flag() {
            Some(true) => "suspended".to_owned(),
            _ => "active".to_owned(),
        },
        text("owner"),
        text("filter"),
    ]
}
