//! Requests to the daemon over its Unix socket, and what its error responses mean for the caller.

mod connection;
mod exchange;
mod first_steps;
mod refusal;

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub(crate) use connection::Connection;
pub(crate) use first_steps::next_steps;
pub(crate) use refusal::{is_coming, not_gatepost, refusal, stream_end};

use crate::exit::Failure;
use crate::http::{self, Lines, Opened, Request};
use crate::json::Value;
use exchange::{connect, ended, send, within};
use refusal::interrupted;

/// Time limit for responses from memory. The process must end two seconds after its start; a tenth is left for starting and for reporting
/// an error.
pub(crate) const QUICK: Duration = Duration::from_millis(1900);
/// Time limit for responses that need the daemon's disk: a busy SD card takes seconds to write.
pub(crate) const DISK: Duration = Duration::from_secs(30);

/// Gets `target` and returns the body of a 200 response.
pub(crate) fn get(socket: &Path, target: &str) -> Result<Vec<u8>, Failure> {
    ask(socket, Request::get(target), QUICK)
}

/// Posts a JSON document to `target` and returns the body of a 200 response.
pub(crate) fn post(socket: &Path, target: &str, json: &str) -> Result<Vec<u8>, Failure> {
    ask(socket, Request::post_json(target, json), QUICK)
}

/// Sends a request and returns the body of a 200 response that arrives within `patience`.
pub(crate) fn ask(socket: &Path, request: Request, patience: Duration) -> Result<Vec<u8>, Failure> {
    let response = Connection::to(socket).ask(request, patience)?;
    match response.status {
        200 => Ok(response.body),
        _ => Err(refusal(&response)),
    }
}

/// Does the same for a body that is a JSON object.
pub(crate) fn ask_document(socket: &Path, request: Request, patience: Duration) -> Result<Value, Failure> {
    let document = Value::parse(&ask(socket, request, patience)?).map_err(not_gatepost)?;
    match document.is_object() {
        true => Ok(document),
        false => Err(not_gatepost("no JSON object")),
    }
}

/// Requests a stream of lines.
pub(crate) fn stream(socket: &Path, target: &str) -> Result<Lines<UnixStream>, Failure> {
    let (path, request) = (socket.to_owned(), Request::get(target));
    let opened = within(
        socket,
        DISK,
        Box::new(move || {
            let reader = connect(&path)?;
            send(&reader, &request).map_err(|error| interrupted(&error))?;
            http::open(reader).map_err(ended)
        }),
    )?;
    match opened {
        Opened::Lines(lines) => Ok(lines),
        Opened::Whole(response, _) if response.status == 200 => Err(not_gatepost("it is not a stream")),
        Opened::Whole(response, _) => Err(refusal(&response)),
    }
}

/// Returns the next line of a stream; `None` if it ended without giving a reason.
pub(crate) fn next_line(lines: &mut Lines<UnixStream>) -> Result<Option<Vec<u8>>, Failure> {
    lines.next_line().map_err(ended)
}
