//! Converts an unusable response to an exit code and a message.

use std::io::{Error, ErrorKind};
use std::path::Path;
use std::time::Duration;

use super::first_steps::next_steps;
use crate::command_line::DEFAULT_SOCKET;
use crate::exit::{Exit, Failure};
use crate::http::Response;
use crate::json::Value;

const HOW_TO_LOOK: &str = "see: systemctl status gatepost";

/// Returns the failure of a 200 response that does not come from a gatepost daemon.
pub(crate) fn not_gatepost(reason: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Protocol,
        format!("the answer is not from a gatepost daemon: {reason}"),
    )
    .with_hint(HOW_TO_LOOK)
}

pub(super) fn unreachable(socket: &Path, error: &Error) -> Failure {
    // A socket in another place belongs to another daemon, which may not be installed from a package.
    let first_steps = (socket == Path::new(DEFAULT_SOCKET))
        .then(|| next_steps(Path::new("/")))
        .flatten();
    let socket = socket.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Failure::no_daemon(format!("the daemon is not running: there is no socket {socket}"))
                .with_hint(first_steps.unwrap_or_else(|| HOW_TO_LOOK.to_owned()))
        }
        ErrorKind::ConnectionRefused => {
            Failure::no_daemon(format!("the daemon is not running: nobody listens on {socket}")).with_hint(HOW_TO_LOOK)
        }
        ErrorKind::PermissionDenied => {
            Failure::new(Exit::NotAllowed, format!("this user may not open the socket {socket}")).with_hint(HOW_TO_LOOK)
        }
        ErrorKind::InvalidInput => {
            Failure::new(Exit::Usage, format!("{socket} cannot be a socket: {error}")).with_hint(HOW_TO_LOOK)
        }
        _ => Failure::new(Exit::Temporary, format!("cannot connect to {socket}: {error}")).with_hint(HOW_TO_LOOK),
    }
}

pub(super) fn interrupted(error: &Error) -> Failure {
    Failure::new(
        Exit::Temporary,
        format!("the connection broke before the answer was complete: {error}"),
    )
    .with_hint(HOW_TO_LOOK)
}

pub(super) fn timeout(socket: &Path, patience: Duration) -> Failure {
    let seconds = patience.as_millis().div_ceil(1000);
    let message = format!("no complete answer from {} within {seconds} s", socket.display());
    Failure::new(Exit::Temporary, message).with_hint(HOW_TO_LOOK)
}

/// Converts a response other than 200: its own message and hint, with the exit code for its status.
pub(crate) fn refusal(response: &Response) -> Failure {
    let exit = match response.status {
        400 | 414 | 431 => Exit::Usage,
        403 => Exit::NotAllowed,
        404 => Exit::Unknown,
        409 => Exit::Attention,
        // 410 and 502 are about a message that was to be acknowledged by AWS.
        410 | 413 | 502 => Exit::Data,
        503 => Exit::Unavailable,
        507 => Exit::Full,
        408 | 429 | 500..=599 => Exit::Temporary,
        _ => Exit::Protocol,
    };
    let document = Value::parse(&response.body).unwrap_or(Value::Null);
    let again = response.retry_after.map(|seconds| format!("try again in {seconds} s"));
    let otherwise = format!("the daemon answered {}", response.status);
    said(exit, &document, &otherwise, again)
}

/// Returns whether the response is not available yet, but nothing is wrong.
pub(crate) fn is_coming(response: &Response) -> bool {
    let document = Value::parse(&response.body).unwrap_or(Value::Null);
    response.status == 503 && document.get("code").text() == Some("coming")
}

/// Converts the last line of a stream that the daemon has ended, depending on its kind.
pub(crate) fn stream_end(document: &Value) -> Failure {
    let exit = match document.get("code").text() {
        // Refused by AWS, whose policy does not allow the filter, or because a rule was removed.
        Some("refused" | "not_allowed") => Exit::NotAllowed,
        Some("deleted") => Exit::Unknown,
        // Trying again would disconnect the other reader.
        Some("taken_over" | "unusable") => Exit::Unavailable,
        _ => Exit::Temporary,
    };
    said(exit, document, "the daemon has ended the stream", None)
}

/// Returns a failure with the message and hint in a document of the daemon.
fn said(exit: Exit, document: &Value, otherwise: &str, again: Option<String>) -> Failure {
    let message = document.get("message").text().unwrap_or(otherwise);
    let failure = Failure::new(exit, message);
    match (document.get("hint").text(), again) {
        (Some(hint), Some(again)) => failure.with_hint(format!("{hint} ({again})")),
        (Some(hint), None) => failure.with_hint(hint),
        (None, Some(again)) => failure.with_hint(again),
        (None, None) => failure,
    }
}
