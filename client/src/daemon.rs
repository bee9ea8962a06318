//! Questions to the daemon over its Unix socket, and what its refusals mean for the caller.

mod conversation;
mod refusal;

use std::io::{BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use conversation::Conversation;
pub(crate) use refusal::{is_coming, not_gatepost, refusal, stream_end};

use crate::exit::{Exit, Failure};
use crate::http::{self, Lines, Opened, Request, Response, ResponseError};
use crate::json::Value;
use refusal::{interrupted, timeout, unreachable};

/// For answers from memory. The process must be over two seconds after its start; a tenth is left for starting and for
/// telling why.
pub(crate) const QUICK: Duration = Duration::from_millis(1900);
/// For answers that the daemon needs its disk for: an SD card that is busy takes seconds to write.
pub(crate) const DISK: Duration = Duration::from_secs(30);

/// Asks for `target` and returns the body of a 200 answer.
pub(crate) fn get(socket: &Path, target: &str) -> Result<Vec<u8>, Failure> {
    ask(socket, Request::get(target), QUICK)
}

/// Hands a JSON document to `target` and returns the body of a 200 answer.
pub(crate) fn post(socket: &Path, target: &str, json: &str) -> Result<Vec<u8>, Failure> {
    ask(socket, Request::post_json(target, json), QUICK)
}

/// Asks, and returns the body of a 200 answer that comes within `patience`.
pub(crate) fn ask(socket: &Path, request: Request, patience: Duration) -> Result<Vec<u8>, Failure> {
    let response = Conversation::with(socket).ask(request, patience)?;
    match response.status {
        200 => Ok(response.body),
        _ => Err(refusal(&response)),
    }
}

/// The same for a body that is a JSON object.
pub(crate) fn ask_document(socket: &Path, request: Request, patience: Duration) -> Result<Value, Failure> {
    let document = Value::parse(&ask(socket, request, patience)?).map_err(not_gatepost)?;
    match document.is_object() {
        true => Ok(document),
        false => Err(not_gatepost("no JSON object")),
    }
}

/// Asks for a stream of lines.
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
        Opened::Whole(response, _) if response.status == 200 => Err(not_gatepost("it is no stream")),
        Opened::Whole(response, _) => Err(refusal(&response)),
    }
}

/// The next line of a stream; none where it ended without a word.
pub(crate) fn next_line(lines: &mut Lines<UnixStream>) -> Result<Option<Vec<u8>>, Failure> {
    lines.next_line().map_err(ended)
}

/// What a thread is asked to do, and what comes of it. One type for all, because each takes its kilobytes.
type Outcome = Result<Opened<UnixStream>, Failure>;
type Work = Box<dyn FnOnce() -> Outcome + Send>;

/// Does `work`, or gives it up after `patience`. std cannot limit the time of connecting to a Unix socket (a full backlog
/// blocks), and a limit per read would let a dribbling peer go on for ever. One thread that is waited for just so long
/// covers everything.
fn within(socket: &Path, patience: Duration, work: Work) -> Outcome {
    let place = Arc::new((Mutex::new(None), Condvar::new()));
    let there = place.clone();
    std::thread::Builder::new()
        .spawn(move || {
            let outcome = work();
            *there.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            there.1.notify_one();
        })
        .map_err(|error| Failure::new(Exit::Temporary, format!("cannot start a thread: {error}")))?;
    let (outcome, arrived) = &*place;
    let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = arrived.wait_timeout_while(outcome, patience, |outcome| outcome.is_none());
    let mut outcome = waited.unwrap_or_else(PoisonError::into_inner).0;
    outcome.take().unwrap_or_else(|| Err(timeout(socket, patience)))
}

fn connect(socket: &Path) -> Result<BufReader<UnixStream>, Failure> {
    let stream = UnixStream::connect(socket).map_err(|error| unreachable(socket, &error))?;
    Ok(BufReader::new(stream))
}

fn send(reader: &BufReader<UnixStream>, request: &Request) -> std::io::Result<()> {
    match reader.get_ref().write_all(&request.bytes()) {
        // A daemon that refuses before it has read everything may have left its reason for us.
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Err(error),
        _ => Ok(()),
    }
}

fn ended(error: ResponseError) -> Failure {
    match error {
        ResponseError::Interrupted(error) => interrupted(&error),
        error => not_gatepost(error),
    }
}

/// One answer, or why there is none.
fn exchange(reader: &mut BufReader<UnixStream>, request: &Request) -> Result<Response, ResponseError> {
    send(reader, request)?;
    http::read_response(reader)
}
