//! Chunked bodies (RFC 9112, 7.1): complete ones, and streams of lines that go on for days.

use std::io::{BufRead, BufReader, Read};

use super::error::ResponseError;
use super::read::{LIMIT, hexadecimal, read_exactly, read_line};

/// Appends the next chunk to `body`, which may grow to `most` bytes. Returns false after the last chunk.
pub(super) fn next_chunk(input: &mut impl BufRead, most: u64, body: &mut Vec<u8>) -> Result<bool, ResponseError> {
    let line = read_line(input)?;
    // Nobody uses chunk extensions.
    match hexadecimal(&line).ok_or(ResponseError::Malformed("chunk size"))? {
        // Trailers are refused: the daemon never sends any.
        0 => match read_line(input)?.as_str() {
            "" => Ok(false),
            _ => Err(ResponseError::Malformed("trailer")),
        },
        size => {
            read_exactly(input, size, most, body)?;
            match read_line(input)?.as_str() {
                "" => Ok(true),
                _ => Err(ResponseError::Malformed("chunk end")),
            }
        }
    }
}

/// A body that is read line by line as it arrives.
#[derive(Debug)]
pub struct Lines<R> {
    input: BufReader<R>,
    /// Data that was received; the part before `start` has been returned already.
    text: Vec<u8>,
    start: usize,
    ended: bool,
}

impl<R: Read> Lines<R> {
    /// Creates a reader that starts at the first byte of the body.
    pub(super) fn new(input: BufReader<R>) -> Self {
        Self {
            input,
            text: Vec::new(),
            start: 0,
            ended: false,
        }
    }

    /// Returns the next line, including its end; `None` once the body has ended properly.
    ///
    /// # Errors
    /// If the body is malformed, too large or incomplete.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, ResponseError> {
        let mut searched = self.start;
        loop {
            let unsearched = self.text.get(searched..).unwrap_or_default();
            if let Some(length) = unsearched.iter().position(|byte| *byte == b'\n') {
                let end = searched + length + 1;
                let line = self.text.get(self.start..end).unwrap_or_default().to_vec();
                self.start = end;
                return Ok(Some(line));
            }
            self.text.drain(..self.start);
            self.start = 0;
            searched = self.text.len();
            if !self.ended {
                self.ended = !next_chunk(&mut self.input, LIMIT, &mut self.text)?;
            }
            match (self.ended, self.text.is_empty()) {
                (false, _) => {}
                (true, true) => return Ok(None),
                (true, false) => return Err(ResponseError::Malformed("line: the last one has no end")),
            }
        }
    }

    /// Returns whether data of a further line has already arrived.
    pub fn more_is_here(&self) -> bool {
        self.start < self.text.len() || !self.input.buffer().is_empty()
    }
}
