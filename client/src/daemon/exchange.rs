//! One exchange with the daemon, within a time limit.

use std::io::{BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::refusal::{interrupted, not_gatepost, timeout, unreachable};
use crate::exit::{Exit, Failure};
use crate::http::{self, Opened, Request, Response, ResponseError};

/// The result of the work in the thread. One type serves all requests, because each instance of generic code would take kilobytes.
pub(super) type Outcome = Result<Opened<UnixStream>, Failure>;
pub(super) type Work = Box<dyn FnOnce() -> Outcome + Send>;

/// Does `work`, or gives up after `patience`. std cannot limit the time for connecting to a Unix socket (a full backlog blocks), and with a
/// limit per read a slow peer could go on for ever. Waiting for one thread for a limited time covers everything.
pub(super) fn within(socket: &Path, patience: Duration, work: Work) -> Outcome {
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

pub(super) fn connect(socket: &Path) -> Result<BufReader<UnixStream>, Failure> {
    let stream = UnixStream::connect(socket).map_err(|error| unreachable(socket, &error))?;
    Ok(BufReader::new(stream))
}

pub(super) fn send(reader: &BufReader<UnixStream>, request: &Request) -> std::io::Result<()> {
    match reader.get_ref().write_all(&request.bytes()) {
        // A daemon that refuses before it has read everything may have sent its reason already.
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn ended(error: ResponseError) -> Failure {
    match error {
        ResponseError::Interrupted(error) => interrupted(&error),
        error => not_gatepost(error),
    }
}

/// Reads one response.
pub(super) fn exchange(reader: &mut BufReader<UnixStream>, request: &Request) -> Result<Response, ResponseError> {
    send(reader, request)?;
    http::read_response(reader)
}
