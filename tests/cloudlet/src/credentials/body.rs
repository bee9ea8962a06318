//! A response body that may break off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// A body that is sent whole, or whose connection breaks after some of it.
#[derive(Debug)]
pub(super) struct AnswerBody {
    rest: Option<Bytes>,
    announced: u64,
    cut: bool,
}

impl AnswerBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self {
            announced: bytes.len() as u64,
            rest: Some(bytes),
            cut: false,
        }
    }

    /// Announces all of itself and breaks off in the middle.
    pub(super) fn into_cut(mut self) -> Self {
        if let Some(bytes) = &mut self.rest {
            bytes.truncate(bytes.len() / 2);
        }
        self.cut = true;
        self
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.rest.take() {
            Some(bytes) => Some(Ok(Frame::data(bytes))),
            None if self.cut => Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted))),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
