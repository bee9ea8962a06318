//! Splits a stream into packets: the fixed header and the bytes that it announces.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Malformed;

/// A packet whose content is not parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) body: Bytes,
}

/// The error when a stream yields no packet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    #[error("connection closed by the peer")]
    Closed,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("packet of {0} bytes")]
    TooLarge(usize),
}

/// Reads packets. Cancelling a read loses nothing: received data stays in the buffer.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    io: R,
    buffer: BytesMut,
    largest: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Creates a reader that refuses packets whose remaining length is above `largest`, before reading them.
    pub(crate) fn new(io: R, largest: usize) -> Self {
        Self {
            io,
            buffer: BytesMut::with_capacity(4096),
            largest,
        }
    }

    pub(crate) async fn read(&mut self) -> Result<Frame, FrameError> {
        loop {
            if let Some(frame) = take_frame(&mut self.buffer, self.largest)? {
                return Ok(frame);
            }
            if self.io.read_buf(&mut self.buffer).await? == 0 {
                return Err(FrameError::Closed);
            }
        }
    }
}

/// Takes a complete packet from the front of a buffer, if there is one.
pub(super) fn take_frame(buffer: &mut BytesMut, largest: usize) -> Result<Option<Frame>, FrameError> {
    let mut length = 0_usize;
    let mut header = 1;
    loop {
        let Some(&byte) = buffer.get(header) else {
            return Ok(None);
        };
        length |= usize::from(byte & 0x7F) << (7 * (header - 1));
        header += 1;
        if byte & 0x80 == 0 {
            if header > 2 && byte == 0 {
                return Err(Malformed("overlong remaining length").into());
            }
            break;
        }
        if header == 5 {
            return Err(Malformed("remaining length of more than four bytes").into());
        }
    }
    if length > largest {
        return Err(FrameError::TooLarge(length));
    }
    if buffer.len() < header + length {
        buffer.reserve(header + length - buffer.len());
        return Ok(None);
    }
    let first = buffer.get_u8();
    buffer.advance(header - 1);
    Ok(Some(Frame {
        first,
        body: buffer.split_to(length).freeze(),
    }))
}
