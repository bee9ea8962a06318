//! TCP and TLS to the endpoint, and a buffer each way, so that waiting can be cancelled anywhere without losing a byte.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Endpoint;

/// For one address. A host may have several, and a broken IPv6 route must not use up all patience.
const TCP_PATIENCE: Duration = Duration::from_secs(10);
/// For the handshake: a signature in a TPM takes up to 600 ms, and more when several queue.
const TLS_PATIENCE: Duration = Duration::from_secs(60);
/// How much is read at once at most.
const READ_SIZE: usize = 4096;

#[derive(Debug)]
pub(super) struct Pipe {
    reader: ReadHalf<TlsStream<TcpStream>>,
    writer: WriteHalf<TlsStream<TcpStream>>,
    /// Received and not yet understood.
    pub(super) input: BytesMut,
    /// To be sent.
    pub(super) output: BytesMut,
    unflushed: bool,
    /// Writing has failed. What the peer said before it hung up, PUBACKs above all, can still be read.
    mute: bool,
}

impl Pipe {
    /// Connects. SNI is always sent: an [`Endpoint`] is a host name. The kernel breaks the connection off when what was sent
    /// is not acknowledged for `unacknowledged`.
    pub(super) async fn open(
        endpoint: &Endpoint,
        tls: Arc<ClientConfig>,
        unacknowledged: Duration,
    ) -> io::Result<Self> {
        let tcp = connect(endpoint).await?;
        tcp.set_nodelay(true)?;
        let unacknowledged = u32::try_from(unacknowledged.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(&tcp, unacknowledged)?;
        let name = endpoint.server_name().map_err(io::Error::other)?;
        let handshake = TlsConnector::from(tls).connect(name, tcp);
        let stream = timeout(TLS_PATIENCE, handshake)
            .await
            .map_err(|_| late("the TLS handshake", TLS_PATIENCE))??;
        let (reader, writer) = split(stream);
        Ok(Self {
            reader,
            writer,
            input: BytesMut::new(),
            output: BytesMut::new(),
            unflushed: false,
            mute: false,
        })
    }

    /// Whether nothing is left to be written, or nothing can be.
    pub(super) fn is_flushed(&self) -> bool {
        self.mute || (self.output.is_empty() && !self.unflushed)
    }

    /// Returns when something was read or written; end of stream is an error. Cancel safe.
    pub(super) async fn progress(&mut self) -> io::Result<()> {
        let Self {
            reader,
            writer,
            input,
            output,
            unflushed,
            mute,
        } = self;
        let idle = *mute || (output.is_empty() && !*unflushed);
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
                *mute = sent.is_err();
                Ok(())
            }
        }
    }

    /// Sends what is left and closes our side, then waits for the peer to close: a socket closed with unread bytes sends
    /// RST, and a DISCONNECT could be lost with it.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        self.writer.write_all_buf(&mut self.output).await?;
        self.writer.shutdown().await?;
        let mut unread = [0; 1024];
        while self.reader.read(&mut unread).await.unwrap_or(0) > 0 {}
        Ok(())
    }
}

async fn connect(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in lookup_host((endpoint.host.as_str(), endpoint.port)).await? {
        match timeout(TCP_PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = late("the TCP connection", TCP_PATIENCE),
        }
    }
    Err(last)
}

fn late(what: &str, patience: Duration) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("{what} took more than {} s", patience.as_secs()),
    )
}
