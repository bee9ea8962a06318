//! HTTP/1.1 over a Unix socket, with one or many requests per connection. Requests may be well formed or arbitrary bytes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// The time after which a silent server counts as hung.
const SILENCE: Duration = Duration::from_secs(30);

/// The maximum number of header lines, more than any response of gatepost has.
const MAX_HEADERS: usize = 32;

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whose length is Content-Length.
    pub body: Vec<u8>,
}

impl Response {
    /// Returns the first header line with this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    fn content_length(&self) -> Result<usize> {
        Ok(self.header("content-length").context("no Content-Length")?.parse()?)
    }

    /// Returns the body as JSON.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("the body is not JSON: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Sends a GET request for `path`, like the one of `curl --unix-socket`.
///
/// # Errors
/// If nobody listens or the answer is not HTTP.
pub fn get(socket: &Path, path: &str) -> Result<Response> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    request_raw(socket, request.as_bytes())
}

/// Sends `request` unchanged and reads one response.
///
/// # Errors
/// If nobody listens or the answer is not HTTP.
pub fn request_raw(socket: &Path, request: &[u8]) -> Result<Response> {
    parse(&exchange(socket, request)?)
}

/// Sends `bytes` unchanged, and returns what is received until the server closes the connection. A server may close before it has read
/// everything (that is how it refuses what is too long), so a broken pipe or a reset ends the exchange and is not an error.
///
/// # Errors
/// If nobody listens, or the server stays silent without closing.
pub fn exchange(socket: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    converse(connect(socket)?, bytes)
}

/// Does the same over any connection. Its read timeout limits the wait for a response.
///
/// # Errors
/// If the connection fails, or the server stays silent without closing.
pub fn converse(mut stream: impl Read + Write, bytes: &[u8]) -> Result<Vec<u8>> {
    match stream.write_all(bytes) {
        Err(error) if !is_closed(&error) => return Err(error).context("could not send"),
        _ => {}
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if !is_closed(&error) => Err(error).with_context(|| {
            format!(
                "no end of the answer within {SILENCE:?}; so far: {}",
                String::from_utf8_lossy(&answer)
            )
        }),
        _ => Ok(answer),
    }
}

/// A persistent connection for several requests, as HTTP libraries use it.
#[derive(Debug)]
pub struct KeptConnection {
    stream: BufReader<UnixStream>,
}

impl KeptConnection {
    /// Opens the connection.
    ///
    /// # Errors
    /// If nobody listens.
    pub fn open(socket: &Path) -> Result<Self> {
        let stream = BufReader::new(connect(socket)?);
        Ok(Self { stream })
    }

    /// Sets the time limit for each response.
    ///
    /// # Errors
    /// If the time is zero.
    pub fn patient(self, patience: Duration) -> Result<Self> {
        self.stream.get_ref().set_read_timeout(Some(patience))?;
        Ok(self)
    }

    /// Sends `request` unchanged and reads one response, which must have a Content-Length.
    ///
    /// # Errors
    /// If the connection ends before the response does, or the response is not HTTP. The connection cannot be used any more then.
    pub fn ask(&mut self, request: &[u8]) -> Result<Response> {
        self.stream.get_mut().write_all(request)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let length = self.stream.read_until(b'\n', &mut head)?;
            ensure!(length > 0, "the connection ended before the answer did");
        }
        let mut response = parse_head(&head)?;
        let length: usize = response.content_length()?;
        response.body.resize(length, 0);
        self.stream.read_exact(&mut response.body)?;
        Ok(response)
    }
}

/// Opens a raw connection, for tests that are slow, silent, or one of many.
///
/// # Errors
/// If nobody listens.
pub fn connect(socket: &Path) -> Result<UnixStream> {
    let stream = UnixStream::connect(socket).with_context(|| format!("nobody listens on {}", socket.display()))?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    Ok(stream)
}

/// Parses one response with a Content-Length. Bytes after the body are an error, because clients would misread them.
///
/// # Errors
/// If it is not such a response.
pub fn parse(bytes: &[u8]) -> Result<Response> {
    let response = parse_head(bytes)?;
    let (announced, got) = (response.content_length()?, response.body.len());
    ensure!(
        got == announced,
        "a body of {got} bytes, but Content-Length {announced}: {}",
        String::from_utf8_lossy(bytes)
    );
    Ok(response)
}

/// Parses a response whose body is everything after the header.
fn parse_head(bytes: &[u8]) -> Result<Response> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let text = || String::from_utf8_lossy(bytes);
    let httparse::Status::Complete(length) = head.parse(bytes).with_context(|| format!("not HTTP: {}", text()))? else {
        bail!("the answer ends in its header: {:?}", text());
    };
    let mut response = Response {
        status: head.code.context("no status")?,
        headers: Vec::new(),
        body: Vec::new(),
    };
    for header in head.headers.iter() {
        let value = String::from_utf8_lossy(header.value).into_owned();
        response.headers.push((header.name.to_ascii_lowercase(), value));
    }
    response.body = bytes.get(length..).unwrap_or_default().to_vec();
    Ok(response)
}

fn is_closed(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let response = parse(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 7\r\n\r\n{\"a\":1}").unwrap();
        assert_eq!((response.status, response.header("content-type")), (200, Some("a/b")));
        assert_eq!(response.json().unwrap(), serde_json::json!({"a": 1}));
    }

    #[test]
    fn invalid_answers() {
        for (bytes, reason) in [
            (&b""[..], "ends in its header"),
            (b"HTTP/1.1 200 OK\r\nContent-Le", "ends in its header"),
            (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
            (b"HTTP/1.1 200 OK\r\n\r\n", "no Content-Length"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", "1 bytes"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", "2 bytes"),
        ] {
            let error = format!("{:#}", parse(bytes).unwrap_err());
            assert!(error.contains(reason), "{error}");
        }
    }
}
