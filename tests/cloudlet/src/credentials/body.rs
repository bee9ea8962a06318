//! A response body that may be cut off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// A body that is sent completely, or whose connection breaks after a part of it.
#[derive(Debug)]
pub(super) struct AnswerBody {
    rest: Option<Bytes>,
    announced: u64,
    cut: Option<Cut>,
}

/// The progress of a body that is cut off on purpose.
#[derive(Debug, PartialEq, Eq)]
enum Cut {
    /// Its first half has not been sent yet.
    Ahead,
    /// Its first half has been sent; the connection breaks next.
    Now,
}

impl AnswerBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self {
            announced: bytes.len() as u64,
            rest: Some(bytes),
            cut: None,
        }
    }

    /// Converts it to a body that announces its full length and is cut off in the middle.
    pub(super) fn into_cut(mut self) -> Self {
        if let Some(bytes) = &mut self.rest {
            bytes.truncate(bytes.len() / 2);
        }
        self.cut = Some(Cut::Ahead);
        self
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.cut {
            // hyper sends the data that it has when the body is pending; an immediate error would discard it.
            Some(Cut::Ahead) => {
                self.cut = Some(Cut::Now);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Cut::Now) => Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted)))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
