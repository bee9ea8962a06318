//! A strict client for the part of HTTP/1.1 (RFC 9112) that requests and a stream need.

mod chunked;
mod error;
mod read;
mod request;

use std::fmt;
use std::io::{BufRead, BufReader, Read};

pub use chunked::Lines;
pub use error::ResponseError;
pub use request::Request;

use chunked::next_chunk;
use read::{HEADER_LIMIT, LIMIT, decimal, read_exactly, read_line};

/// A complete response.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The value of Retry-After in seconds, if there is one.
    pub retry_after: Option<u32>,
    /// Whether the daemon closes the connection after it.
    pub closes: bool,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

/// The body may hold credentials, so it is not shown.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

enum Framing {
    Length(u64),
    Chunked,
}

/// The part before the body.
struct Head {
    status: u16,
    retry_after: Option<u32>,
    closes: bool,
    framing: Framing,
}

/// A response whose body may be a stream.
pub enum Opened<R> {
    /// A stream.
    Lines(Lines<R>),
    /// A complete response of another kind, with the connection if it can be used for another request.
    Whole(Response, Option<BufReader<R>>),
}

/// Reads a response. A response without a length is refused: its end could not be told from a daemon that was killed.
///
/// # Errors
/// If the response is malformed, too large or incomplete.
pub fn read_response(input: &mut impl BufRead) -> Result<Response, ResponseError> {
    let head = read_head(input)?;
    read_body(input, head)
}

/// Reads a response up to the beginning of its lines, or completely if it is not a stream.
///
/// # Errors
/// If the response is malformed, too large or incomplete.
pub fn open<R: Read>(mut input: BufReader<R>) -> Result<Opened<R>, ResponseError> {
    let head = read_head(&mut input)?;
    match (head.status, &head.framing) {
        (200, Framing::Chunked) => Ok(Opened::Lines(Lines::new(input))),
        _ => Ok(Opened::Whole(read_body(&mut input, head)?, None)),
    }
}

fn read_head(input: &mut impl BufRead) -> Result<Head, ResponseError> {
    let status = status_code(&read_line(input)?)?;
    let (mut length, mut chunked, mut retry_after, mut closes) = (None, false, None, false);
    for _ in 0..=HEADER_LIMIT {
        let line = read_line(input)?;
        if line.is_empty() {
            let framing = match (length, chunked) {
                (Some(length), false) => Framing::Length(length),
                (None, true) => Framing::Chunked,
                _ => {
                    return Err(ResponseError::Malformed(
                        "framing: one of Content-Length and chunked is needed",
                    ));
                }
            };
            return Ok(Head {
                status,
                retry_after,
                closes,
                framing,
            });
        }
        let (name, value) = header(&line)?;
        if name.eq_ignore_ascii_case("content-length") {
            let value = decimal(value).ok_or(ResponseError::Malformed("Content-Length"))?;
            if length.replace(value).is_some_and(|before| before != value) {
                return Err(ResponseError::Malformed("Content-Length: two of them"));
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case("chunked") {
                return Err(ResponseError::Malformed("Transfer-Encoding"));
            }
            chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            closes |= value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("retry-after") {
            // The other form, a date, is ignored: it would require a calendar.
            retry_after = decimal(value).and_then(|seconds| u32::try_from(seconds).ok());
        }
    }
    Err(ResponseError::TooLarge)
}

fn status_code(line: &str) -> Result<u16, ResponseError> {
    let malformed = ResponseError::Malformed("status line");
    let Some(rest) = line.strip_prefix("HTTP/1.1 ") else {
        return Err(malformed);
    };
    let (code, _reason) = rest.split_once(' ').unwrap_or((rest, ""));
    match decimal(code).and_then(|code| u16::try_from(code).ok()) {
        Some(status @ 200..=599) if code.len() == 3 => Ok(status),
        _ => Err(malformed),
    }
}

fn header(line: &str) -> Result<(&str, &str), ResponseError> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    match line.split_once(':') {
        Some((name, value)) if !name.is_empty() && name.chars().all(token) => {
            Ok((name, value.trim_matches([' ', '\t'])))
        }
        _ => Err(ResponseError::Malformed("header")),
    }
}

fn read_body(input: &mut impl BufRead, head: Head) -> Result<Response, ResponseError> {
    let mut body = Vec::new();
    match head.framing {
        Framing::Length(length) => read_exactly(input, length, LIMIT, &mut body)?,
        Framing::Chunked => while next_chunk(input, LIMIT, &mut body)? {},
    }
    Ok(Response {
        status: head.status,
        retry_after: head.retry_after,
        closes: head.closes,
        body,
    })
}

#[cfg(test)]
mod tests;
