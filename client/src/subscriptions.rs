//! `gatepost subscriptions`: the durable ones, which the daemon keeps messages for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::daemon::{self, Conversation, DISK};
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::json::Value;
use crate::size::size;
use crate::table::{self, row};
use crate::words::number;
use crate::{output, percent};

/// What is wanted of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    List { json: bool },
    Delete { name: OsString },
    Acknowledge { name: OsString, id: OsString },
}

/// Does what is wanted.
pub(crate) fn run(socket: &Path, wish: &Wish) -> Result<Exit, Failure> {
    match wish {
        Wish::List { json } => list(socket, *json),
        Wish::Delete { name } => {
            daemon::ask(socket, Request::delete(&path(name)), DISK)?;
            Ok(Exit::Ok)
        }
        Wish::Acknowledge { name, id } => {
            let id = number("ack", id, "a message")?;
            Acknowledger::of(socket, name).acknowledge(id)?;
            Ok(Exit::Ok)
        }
    }
}

/// Tells the daemon that a durable subscription's messages have been taken.
pub(crate) struct Acknowledger {
    conversation: Conversation,
    target: String,
}

impl Acknowledger {
    /// For the subscription `name`.
    pub(crate) fn of(socket: &Path, name: &OsStr) -> Self {
        Self {
            conversation: Conversation::with(socket),
            target: format!("{}/ack", path(name)),
        }
    }

    /// Everything up to the message `id` is taken.
    pub(crate) fn acknowledge(&mut self, id: u64) -> Result<(), Failure> {
        let request = Request::post_json(&self.target, &format!("{{\"id\":{id}}}"));
        let request = request.keep_open().again(true);
        let response = self.conversation.ask(request, DISK)?;
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
    let mut rows = vec![row(["NAME", "WAITING", "SIZE", "DROPPED", "QOS", "OWNER", "FILTER"])];
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
        text("owner"),
        text("filter"),
    ]
}
