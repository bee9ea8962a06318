//! HTTP requests over connections of the [`Connector`], by TLS unless the origin begins with `http://`: one response of bounded size for each
//! request. Variables of the environment such as `HTTPS_PROXY` are ignored, and redirects are not followed, because another origin would get
//! what is meant for this one.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, HOST, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::connector::Connector;
use crate::config::Origin;

/// Initial capacity of a body. Up to this size the buffer is not reallocated, which would leave a copy of a secret that is not wiped. The
/// buffers of hyper and rustls are out of reach.
const INITIAL_CAPACITY: usize = 16 * 1024;
/// Maximum size of the head of a response.
const MAX_HEAD: usize = 64 * 1024;
/// Time in milliseconds, as the socket option has it, after which the kernel drops a connection if sent data stays unacknowledged.
const TCP_USER_TIMEOUT_MS: u32 = 15_000;

/// Time limits of a request.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// For everything: the wait for an earlier request of the same client, the connection, the request and the response.
    pub total: Duration,
}

/// A client for one server. It keeps its connection for the next request.
pub struct HttpsClient {
    connector: Connector,
    origin: Origin,
    tls: Arc<ClientConfig>,
    limits: TimeLimits,
    connection: Mutex<Option<Connection>>,
}

/// A whole response.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, which is wiped when it is dropped.
    pub body: Zeroizing<Vec<u8>>,
}

/// Error of a request.
#[derive(Debug)]
pub enum RequestError {
    /// The request cannot be written as HTTP.
    Invalid(hyper::http::Error),
    /// There is no connection, so nothing was sent.
    NotConnected(io::Error),
    /// The connection or the response failed after the request was, or may have been, sent.
    Lost(hyper::Error),
    /// The connection failed within the body.
    Broken(hyper::Error),
    /// The body is larger than the limit.
    TooLarge,
    /// The time is over, and the request may have been sent.
    TimedOut,
}

/// An open connection.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
    /// Whether a request is under way. If its future is dropped, so is the connection: the rest of the response must not be read as the
    /// next one. An idle connection is closed properly.
    is_busy: bool,
}

impl HttpsClient {
    /// Creates a client, without connecting.
    pub fn new(connector: Connector, origin: Origin, tls: Arc<ClientConfig>, limits: TimeLimits) -> Self {
        Self {
            connector,
            origin,
            tls,
            limits,
            connection: Mutex::default(),
        }
    }

    /// Sends a request, whose URI is a path and a query, and reads the response with a body of at most `max_body` bytes.
    ///
    /// # Errors
    /// If there is no complete response in time. The variant says whether the server may have received the request.
    pub async fn send(&self, mut request: Request<Full<Bytes>>, max_body: usize) -> Result<Response, RequestError> {
        let host =
            HeaderValue::from_str(&self.origin.authority()).map_err(|error| RequestError::Invalid(error.into()))?;
        request.headers_mut().insert(HOST, host);
        request
            .headers_mut()
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("*/*"));
        let exchange = self.exchange(request, max_body);
        timeout(self.limits.total, exchange)
            .await
            .unwrap_or(Err(RequestError::TimedOut))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, max_body: usize) -> Result<Response, RequestError> {
        let mut kept = self.connection.lock().await;
        let (response, mut connection) = match kept.take() {
            Some(mut connection) => {
                connection.is_busy = true;
                match connection.sender.try_send_request(request).await {
                    Ok(response) => (response, connection),
                    // The server has closed the connection meanwhile, and has not seen the request.
                    Err(mut error) => match error.take_message() {
                        Some(request) => self.send_on_new_connection(request).await?,
                        None => return Err(RequestError::Lost(error.into_error())),
                    },
                }
            }
            None => self.send_on_new_connection(request).await?,
        };
        let (head, body) = response.into_parts();
        let body = read_body(body, max_body).await?;
        connection.is_busy = false;
        *kept = Some(connection);
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    async fn send_on_new_connection(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(hyper::Response<Incoming>, Connection), RequestError> {
        let connected = timeout(self.limits.connect, self.connect()).await;
        let mut connection = connected
            .unwrap_or_else(|_| Err(connect_timeout(self.limits.connect)))
            .map_err(RequestError::NotConnected)?;
        let response = connection
            .sender
            .send_request(request)
            .await
            .map_err(RequestError::Lost)?;
        Ok((response, connection))
    }

    async fn connect(&self) -> io::Result<Connection> {
        let Origin { host, port, is_tls } = &self.origin;
        let tcp = self.connector.connect(host, *port).await?;
        rustix::net::sockopt::set_tcp_user_timeout(&tcp, TCP_USER_TIMEOUT_MS)?;
        if !is_tls {
            return Connection::open(tcp).await;
        }
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        Connection::open(TlsConnector::from(self.tls.clone()).connect(name, tcp).await?).await
    }
}

impl Connection {
    async fn open(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> io::Result<Self> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let task = tokio::spawn(connection).abort_handle();
        Ok(Self {
            sender,
            task,
            is_busy: true,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_busy {
            self.task.abort();
        }
    }
}

/// Reads a body, up to `limit` bytes. The rest of a larger one is not read.
async fn read_body(mut body: Incoming, limit: usize) -> Result<Zeroizing<Vec<u8>>, RequestError> {
    let mut content = Zeroizing::new(Vec::with_capacity(limit.min(INITIAL_CAPACITY)));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(RequestError::Broken)?;
        let Some(data) = frame.data_ref() else { continue };
        if content.len() + data.len() > limit {
            return Err(RequestError::TooLarge);
        }
        content.extend_from_slice(data);
    }
    Ok(content)
}

fn connect_timeout(limit: Duration) -> io::Error {
    let words = format!("connecting took more than {} s", limit.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, words)
}

impl RequestError {
    /// Returns whether the server cannot have received the request.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Invalid(_) | Self::NotConnected(_))
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid(_) => "the request cannot be written as HTTP",
            Self::NotConnected(_) => "no connection",
            Self::Lost(_) => "the request was not answered",
            Self::Broken(_) => "the answer broke off",
            Self::TooLarge => "the answer is too large",
            Self::TimedOut => "no answer in time",
        })
    }
}

impl std::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Invalid(error) => Some(error),
            Self::NotConnected(error) => Some(error),
            Self::Lost(error) | Self::Broken(error) => Some(error),
            Self::TooLarge | Self::TimedOut => None,
        }
    }
}

impl fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsClient")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
