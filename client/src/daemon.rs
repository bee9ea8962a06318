//! One question to the daemon over its Unix socket, and what its refusals mean for the caller.

use std::io::{BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use crate::exit::{Exit, Failure};
use crate::http::{self, Response, ResponseError};
use crate::json::Value;

/// The process must be over two seconds after its start; a tenth is left for starting and for telling why.
const LIMIT: Duration = Duration::from_millis(1900);

const HOW_TO_LOOK: &str = "look at: systemctl status gatepost";

/// Asks for `target` and returns the body of a 200 answer.
pub(crate) fn get(socket: &Path, target: &str) -> Result<Vec<u8>, Failure> {
    ask(socket, http::get(target))
}

/// Hands a JSON document to `target` and returns the body of a 200 answer.
pub(crate) fn post(socket: &Path, target: &str, json: &str) -> Result<Vec<u8>, Failure> {
    ask(socket, http::post(target, json))
}

fn ask(socket: &Path, request: String) -> Result<Vec<u8>, Failure> {
    // std cannot limit the time of connecting to a Unix socket (a full backlog blocks), and a limit per read would
    // let a dribbling peer go on for ever. One thread that is waited for just so long covers everything.
    let (sender, receiver) = mpsc::sync_channel(1);
    let path = socket.to_owned();
    std::thread::Builder::new()
        .spawn(move || sender.send(exchange(&path, &request)))
        .map_err(|error| Failure::new(Exit::Temporary, format!("cannot start a thread: {error}")))?;
    let response = receiver.recv_timeout(LIMIT).map_err(|_| timeout(socket))??;
    match response.status {
        200 => Ok(response.body),
        _ => Err(refusal(&response)),
    }
}

/// The failure of an answer that says 200 and still is not what a gatepost daemon says.
pub(crate) fn not_gatepost(reason: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Protocol,
        format!("the answer is not one of a gatepost daemon: {reason}"),
    )
    .with_hint(HOW_TO_LOOK)
}

fn exchange(socket: &Path, request: &str) -> Result<Response, Failure> {
    let mut stream = UnixStream::connect(socket).map_err(|error| unreachable(socket, &error))?;
    match stream.write_all(request.as_bytes()) {
        // A daemon that refuses before it has read everything may have left its reason for us.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(interrupted(&error)),
        _ => {}
    }
    http::read_response(BufReader::new(stream)).map_err(|error| match error {
        ResponseError::Interrupted(error) => interrupted(&error),
        error => not_gatepost(error),
    })
}

fn unreachable(socket: &Path, error: &std::io::Error) -> Failure {
    let socket = socket.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Failure::new(
            Exit::Unavailable,
            format!("the daemon is not running: there is no socket {socket}"),
        ),
        ErrorKind::ConnectionRefused => Failure::new(
            Exit::Unavailable,
            format!("the daemon is not running: nobody listens on {socket}"),
        ),
        ErrorKind::PermissionDenied => {
            Failure::new(Exit::NotAllowed, format!("this user may not open the socket {socket}"))
        }
        ErrorKind::InvalidInput => Failure::new(Exit::Usage, format!("{socket} cannot be a socket: {error}")),
        _ => Failure::new(Exit::Temporary, format!("cannot connect to {socket}: {error}")),
    }
    .with_hint(HOW_TO_LOOK)
}

fn interrupted(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Temporary,
        format!("the connection broke before the answer was complete: {error}"),
    )
    .with_hint(HOW_TO_LOOK)
}

fn timeout(socket: &Path) -> Failure {
    let message = format!("no complete answer from {} within 2 s", socket.display());
    Failure::new(Exit::Temporary, message).with_hint(HOW_TO_LOOK)
}

/// An answer other than 200: its own message and hint, under the exit code of its status.
fn refusal(response: &Response) -> Failure {
    let exit = match response.status {
        400 => Exit::Usage,
        403 => Exit::NotAllowed,
        404 => Exit::Unknown,
        409 => Exit::Attention,
        503 => Exit::Unavailable,
        408 | 413 | 429 | 500..=599 => Exit::Temporary,
        _ => Exit::Protocol,
    };
    let document = Value::parse(&response.body).unwrap_or(Value::Null);
    let message = match document.get("message").text() {
        Some(message) => message.to_owned(),
        None => format!("the daemon answered {}", response.status),
    };
    let hint = document.get("hint").text();
    let again = response.retry_after.map(|seconds| format!("try again in {seconds} s"));
    let failure = Failure::new(exit, message);
    match (hint, again) {
        (Some(hint), Some(again)) => failure.with_hint(format!("{hint} ({again})")),
        (Some(hint), None) => failure.with_hint(hint),
        (None, Some(again)) => failure.with_hint(again),
        (None, None) => failure,
    }
}
