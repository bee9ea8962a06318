//! Responses, and bodies that are sent slowly or cut off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::time::{Sleep, sleep};

use crate::base64_text;
use crate::pkcs7;
use crate::switches::{BodyForm, Switches};

/// The media type of a certs-only PKCS#7 (RFC 8951, 3.2).
pub(crate) const CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";

/// Pause between the first half of a body and the end of the connection.
const CUT_PAUSE: Duration = Duration::from_millis(20);

/// The body of a response.
pub(crate) enum AnswerBody {
    /// Sends the whole body.
    Full(Bytes),
    /// Sends it byte by byte.
    Slow {
        bytes: Bytes,
        pause: Duration,
        sleep: Pin<Box<Sleep>>,
    },
    /// Sends the first half, then closes the connection.
    Cut {
        bytes: Bytes,
        sleep: Option<Pin<Box<Sleep>>>,
    },
}

impl AnswerBody {
    pub(crate) fn full(text: impl Into<Bytes>) -> Self {
        Self::Full(text.into())
    }

    /// Adds a pause before each byte.
    pub(crate) fn slow(self, pause: Duration) -> Self {
        Self::Slow {
            bytes: self.into_bytes(),
            pause,
            sleep: Box::pin(sleep(pause)),
        }
    }

    /// Cuts the body off in the middle.
    pub(crate) fn cut(self) -> Self {
        Self::Cut {
            bytes: self.into_bytes(),
            sleep: None,
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Full(bytes) | Self::Slow { bytes, .. } | Self::Cut { bytes, .. } => bytes,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = match &mut *self {
            Self::Full(bytes) if bytes.is_empty() => None,
            Self::Full(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Self::Slow { bytes, .. } if bytes.is_empty() => None,
            Self::Slow {
                bytes,
                pause,
                sleep: timer,
            } => {
                ready!(timer.as_mut().poll(context));
                timer.set(sleep(*pause));
                Some(Ok(Frame::data(bytes.split_to(1))))
            }
            Self::Cut { sleep: Some(timer), .. } => {
                ready!(timer.as_mut().poll(context));
                Some(Err(io::Error::other("broken off on purpose")))
            }
            Self::Cut { bytes, sleep: timer } => {
                // hyper sends its data before it waits, but nothing once a body has failed.
                *timer = Some(Box::pin(sleep(CUT_PAUSE)));
                Some(Ok(Frame::data(bytes.split_to(bytes.len() / 2))))
            }
        };
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) | Self::Slow { bytes, .. } | Self::Cut { bytes, .. } => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
        }
    }
}

/// Returns a response with plain text.
pub(crate) fn text(status: StatusCode, text: &str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::full(format!("{text}\n")));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// Returns certificates in the form that the switches select.
pub(crate) fn certificates(certificates: &[Vec<u8>], switches: &Switches) -> Response<AnswerBody> {
    let der = || pkcs7::der(certificates);
    let one_line = || base64_text::encode(&der());
    let body = match switches.body {
        BodyForm::Base64 => one_line().into_bytes(),
        BodyForm::Lines => base64_text::encode_in_lines(&der(), 76, "\r\n").into_bytes(),
        BodyForm::WhiteSpace => {
            format!("\n \t{}\n\n", base64_text::encode_in_lines(&der(), 61, " \r\n\t\n")).into_bytes()
        }
        BodyForm::IndefiniteBer => base64_text::encode(&pkcs7::indefinite_ber(certificates)).into_bytes(),
        BodyForm::PemPkcs7 => pkcs7::pem("PKCS7", &der()).into_bytes(),
        BodyForm::PemCertificates => pkcs7::pem_certificates(certificates).into_bytes(),
        BodyForm::Binary => der(),
        BodyForm::BrokenBase64 => {
            let mut text = one_line();
            text.insert(text.len() / 2, '%');
            text.into_bytes()
        }
        BodyForm::Truncated => {
            let mut text = one_line();
            text.truncate(text.len() / 2 / 4 * 4);
            text.into_bytes()
        }
        BodyForm::NoCertificates => base64_text::encode(&pkcs7::der(&[])).into_bytes(),
        BodyForm::Empty => Vec::new(),
        BodyForm::Html => b"<!DOCTYPE html><html><body>Please accept the terms of this network.</body></html>".to_vec(),
    };
    let mut response = Response::new(AnswerBody::full(body));
    let content_type = match (&switches.content_type, switches.body) {
        (Some(other), _) => HeaderValue::from_str(other).ok(),
        (None, BodyForm::Html) => Some(HeaderValue::from_static("text/html")),
        (None, _) => None,
    };
    let content_type = content_type.unwrap_or(HeaderValue::from_static(CERTS_ONLY));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    // RFC 7030 requires this header; RFC 8951 tells clients to ignore it.
    headers.insert("content-transfer-encoding", HeaderValue::from_static("base64"));
    response
}
