//! A TLS connection with a buffer in each direction, so that waiting can be cancelled anywhere without losing data.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::cloud::connector::Connector;
use crate::config::Endpoint;

/// Time for the TLS handshake. A TPM takes up to 600 ms for a signature, and longer if requests queue.
const TLS_TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes read at once.
const READ_SIZE: usize = 4096;

/// A TLS connection and its buffers.
#[derive(Debug)]
pub(super) struct Pipe {
    reader: ReadHalf<TlsStream<TcpStream>>,
    writer: WriteHalf<TlsStream<TcpStream>>,
    /// Bytes received and not yet decoded.
    pub(super) input: BytesMut,
    /// Bytes to send.
    pub(super) output: BytesMut,
    unflushed: bool,
    /// Whether writing has failed. Data that the peer sent before it closed, PUBACKs above all, can still be read.
    write_failed: bool,
}

impl Pipe {
    /// Connects to `endpoint`, always with SNI. The kernel drops the connection if sent data stays unacknowledged for
    /// `unacknowledged`.
    pub(super) async fn open(
        connector: &Connector,
        endpoint: &Endpoint,
        tls: Arc<ClientConfig>,
        unacknowledged: Duration,
    ) -> io::Result<Self> {
        let tcp = connector.connect(&endpoint.host, endpoint.port).await?;
        let unacknowledged = u32::try_from(unacknowledged.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(&tcp, unacknowledged)?;
        let name = endpoint.server_name().map_err(io::Error::other)?;
        let handshake = TlsConnector::from(tls).connect(name, tcp);
        let stream = timeout(TLS_TIMEOUT, handshake).await.map_err(|_| timeout_error())??;
        let (reader, writer) = split(stream);
        Ok(Self {
            reader,
            writer,
            input: BytesMut::new(),
            output: BytesMut::new(),
            unflushed: false,
            write_failed: false,
        })
    }

    /// Returns whether nothing is left to write, or writing has failed.
    pub(super) fn is_flushed(&self) -> bool {
        self.write_failed || (self.output.is_empty() && !self.unflushed)
    }

    /// Returns when some bytes were read or written. The end of the stream is an error. Cancel safe.
    pub(super) async fn progress(&mut self) -> io::Result<()> {
        let Self {
            reader,
            writer,
            input,
            output,
            unflushed,
            write_failed,
        } = self;
        let idle = *write_failed || (output.is_empty() && !*unflushed);
        let send = async {
            if output.is_empty() {
                writer.flush().await?;
                *unflushed = false;
            } else {
                writer.write_buf(output).await?;
                *unflushed = true;
            }
            io::Result::Ok(())
        };
        input.reserve(READ_SIZE);
        tokio::select! {
            read = reader.read_buf(input) => match read? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(()),
            },
            sent = send, if !idle => {
                *write_failed = sent.is_err();
                Ok(())
            }
        }
    }

    /// Writes the output buffer and closes our side, then reads until the peer closes. A socket that is closed with unread data
    /// sends RST, which could discard our DISCONNECT.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        self.writer.write_all_buf(&mut self.output).await?;
        self.writer.shutdown().await?;
        let mut unread = [0; 1024];
        while self.reader.read(&mut unread).await.unwrap_or(0) > 0 {}
        Ok(())
    }
}

fn timeout_error() -> io::Error {
    let words = format!("the TLS handshake took more than {} s", TLS_TIMEOUT.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, words)
}
