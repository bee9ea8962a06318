//! `gatepost outbox`: the messages that wait to be sent, and those that AWS has refused.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::command_line::Matches;
use crate::daemon::{self, DISK};
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::instant::Instant;
use crate::json::Value;
use crate::printable::printable;
use crate::table::{self, row};
use crate::{output, percent};

/// Time limit for operations on all messages: there may be a million, and the daemon handles 500 at a time.
const ALL: Duration = Duration::from_secs(3600);

/// Lists, shows, deletes or requeues messages.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let json = matches.flag("--json");
    match matches.verb {
        Some("show") => show(socket, matches.required(0), json),
        Some("purge") => done(socket, Request::delete(&path(matches.required(0))), "deleted"),
        Some("retry") if matches.required(0) == "queued" => Err(matches.usage_error("queued messages are sent anyway")),
        Some("retry") => {
            let target = format!("{}/retry", path(matches.required(0)));
            done(socket, Request::post(&target, b""), "to be sent again")
        }
        _ => list(socket, matches.flag("--parked"), json),
    }
}

fn path(which: &OsStr) -> String {
    format!("/v1/outbox/{}", percent::encode(which.as_bytes()))
}

/// Lists the messages page by page, so that neither side holds all of a long list.
fn list(socket: &Path, parked: bool, json: bool) -> Result<Exit, Failure> {
    let path = format!("/v1/outbox/{}", if parked { "parked" } else { "queued" });
    let mut heading = vec![row(["ID", "STATE", "ACCEPTED", "BYTES", "TOPIC", "REASON"])];
    let mut after = 0;
    loop {
        let target = format!("{path}?after={after}");
        let document = daemon::ask_document(socket, Request::get(&target), DISK)?;
        let page = document.get("messages").items();
        let last = page.last().map(|message| message.get("id").whole_number());
        if json {
            output::print(&output::json_lines(page))?;
        } else if !page.is_empty() || !heading.is_empty() {
            let now = Instant::now();
            let mut rows = std::mem::take(&mut heading);
            rows.extend(page.iter().map(|message| as_row(message, now)));
            output::print(table::draw(&rows).as_bytes())?;
        }
        match last {
            None => return Ok(Exit::Ok),
            Some(Some(id)) if id > after => after = id,
            Some(_) => return Err(daemon::not_gatepost("the messages are not in their order")),
        }
    }
}

fn as_row(message: &Value, now: Instant) -> Vec<String> {
    let text = |name| message.get(name).text().unwrap_or_default().to_owned();
    let count = |name| message.get(name).whole_number().map(|count| count.to_string());
    vec![
        count("id").unwrap_or_default(),
        text("state"),
        accepted(message, now),
        count("bytes").unwrap_or_default(),
        text("topic"),
        text("reason"),
    ]
}

/// Returns when a message was accepted, such as "3 h ago"; the original text if it cannot be parsed.
fn accepted(message: &Value, now: Instant) -> String {
    let time = message.get("accepted").text().unwrap_or_default();
    Instant::parse(time).map_or_else(|| time.to_owned(), |time| time.seen_from(now))
}

fn show(socket: &Path, id: &OsStr, json: bool) -> Result<Exit, Failure> {
    let message = daemon::ask_document(socket, Request::get(&path(id)), DISK)?;
    if json {
        return output::print(&output::json_lines(std::slice::from_ref(&message)));
    }
    let mut text = String::new();
    for (name, value) in message.members() {
        let value = match (name.as_str(), value) {
            ("accepted", _) => format!(
                "{} ({})",
                accepted(&message, Instant::now()),
                value.text().unwrap_or_default()
            ),
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.json(),
        };
        text.push_str(&format!("{:<24}{}\n", printable(name), printable(&value)));
    }
    output::print(text.as_bytes())
}

fn done(socket: &Path, request: Request, what: &str) -> Result<Exit, Failure> {
    let document = daemon::ask_document(socket, request, ALL)?;
    let count = document.get("messages").whole_number();
    let count = count.ok_or_else(|| daemon::not_gatepost("it does not say how many messages"))?;
    let messages = if count == 1 { "message" } else { "messages" };
    output::print(format!("{count} {messages} {what}\n").as_bytes())
}
