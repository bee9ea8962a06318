//! A connection to the daemon, for several requests.

use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exchange::{connect, ended, exchange, within};
use super::refusal::not_gatepost;
use crate::exit::Failure;
use crate::http::{Opened, Request, Response, ResponseError};

/// Sends requests one after the other. The daemon closes a connection that has been idle for a while; the next request then opens another
/// one.
pub(crate) struct Connection {
    socket: PathBuf,
    open: Option<BufReader<UnixStream>>,
}

impl Connection {
    /// Prepares a connection to the daemon that listens on `socket`. The first request opens it.
    pub(crate) fn to(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            open: None,
        }
    }

    /// Sends a request and returns the response, whatever its status, if it arrives within `patience`.
    pub(crate) fn ask(&mut self, request: Request, patience: Duration) -> Result<Response, Failure> {
        let (socket, open) = (self.socket.clone(), self.open.take());
        let work = Box::new(move || answer(&socket, open, &request));
        match within(&self.socket, patience, work)? {
            Opened::Whole(response, open) => {
                self.open = open;
                Ok(response)
            }
            Opened::Lines(_) => Err(not_gatepost("the response does not end")),
        }
    }
}

/// Returns the response, and the connection if it can be used for another request.
fn answer(
    socket: &Path,
    open: Option<BufReader<UnixStream>>,
    request: &Request,
) -> Result<Opened<UnixStream>, Failure> {
    let open = open.filter(is_open);
    let mut reader = open.map_or_else(|| connect(socket), Ok)?;
    let mut outcome = exchange(&mut reader, request);
    // A daemon that was killed while it answered is restarted at once, and systemd holds the socket meanwhile.
    if request.again && matches!(outcome, Err(ResponseError::Interrupted(_))) {
        reader = connect(socket)?;
        outcome = exchange(&mut reader, request);
    }
    let response = outcome.map_err(ended)?;
    let open = (request.keep_open && !response.closes).then_some(reader);
    Ok(Opened::Whole(response, open))
}

/// Returns whether the daemon has neither closed the connection nor sent anything unasked.
fn is_open(reader: &BufReader<UnixStream>) -> bool {
    let mut stream = reader.get_ref();
    let quiet = stream.set_nonblocking(true).is_ok()
        && matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    quiet && reader.buffer().is_empty() && stream.set_nonblocking(false).is_ok()
}
