//! A program that sends requests to the socket repeatedly.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rig::unix_http;

/// Larger than any response that is measured here.
const BUFFER: usize = 16 * 1024;

/// More header lines than any response of gatepost has.
const MAX_HEADERS: usize = 32;

/// A caller: its request, and its connection if it has one. It allocates nothing per request, so that only the server is measured.
#[derive(Debug)]
pub struct Caller {
    socket: PathBuf,
    request: Vec<u8>,
    connection: Option<UnixStream>,
    buffer: Box<[u8; BUFFER]>,
}

impl Caller {
    /// Creates a caller that will ask `socket` for `path`.
    #[must_use]
    pub fn new(socket: &Path, path: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n").into_bytes();
        Self {
            socket: socket.to_owned(),
            request,
            connection: None,
            buffer: Box::new([0; BUFFER]),
        }
    }

    /// Sends the request, over the existing connection if there is one, and returns the whole response.
    ///
    /// # Errors
    /// If nobody listens, or the response is anything but 200.
    pub fn ask(&mut self) -> Result<&[u8]> {
        let length = self.exchange().inspect_err(|_| self.connection = None)?;
        Ok(self.buffer.get(..length).unwrap_or_default())
    }

    /// Closes the connection, so that the next request needs a new one.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    fn exchange(&mut self) -> Result<usize> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(unix_http::connect(&self.socket)?),
        };
        connection.write_all(&self.request)?;
        let mut filled = 0;
        loop {
            let free = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = match connection.read(free) {
                // A read with a time limit is not restarted automatically after a signal (signal(7)).
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read?,
            };
            ensure!(read > 0, "the answer ended early, or is longer than {BUFFER} bytes");
            filled += read;
            let so_far = self.buffer.get(..filled).unwrap_or_default();
            if let Some(length) = answer_length(so_far)? {
                ensure!(length >= filled, "more than one answer to one request");
                if length == filled {
                    return Ok(length);
                }
            }
        }
    }
}

/// Returns the length of header and body, once the header is complete.
fn answer_length(bytes: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(header) = head.parse(bytes)? else {
        return Ok(None);
    };
    ensure!(head.code == Some(200), "not a 200: {}", String::from_utf8_lossy(bytes));
    let length = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("an answer without Content-Length")?;
    let body: usize = std::str::from_utf8(length.value)?.parse()?;
    Ok(Some(header + body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_an_answer_ends() {
        for (bytes, length) in [
            (&b""[..], None),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", None),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Some(43)),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", Some(43)),
        ] {
            assert_eq!(
                answer_length(bytes).unwrap(),
                length,
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn what_is_not_measured() {
        for bytes in [
            &b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"garbage\r\n\r\n",
        ] {
            assert!(answer_length(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
