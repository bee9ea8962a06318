//! The scripted broker: it does exactly what a case tells it, one connection after the other.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::wire::{self, Connect, Received};

/// Longer than any candidate should need; only a candidate that hangs meets it.
pub const GUARD: Duration = Duration::from_secs(12);

pub trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

pub struct Broker {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    pub address: SocketAddr,
}

/// One accepted connection.
pub struct Peer {
    pub stream: Box<dyn Stream>,
    pub server_name: Option<String>,
    pub alpn: Option<Vec<u8>>,
}

impl Broker {
    pub async fn start(tls: Option<Arc<rustls::ServerConfig>>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            tls: tls.map(TlsAcceptor::from),
            address,
        })
    }

    pub async fn accept(&self) -> io::Result<Peer> {
        let (tcp, _) = timeout(GUARD, self.listener.accept()).await??;
        tcp.set_nodelay(true)?;
        let Some(acceptor) = &self.tls else {
            return Ok(Peer {
                stream: Box::new(tcp),
                server_name: None,
                alpn: None,
            });
        };
        let tls = acceptor.accept(tcp).await?;
        let (_, session) = tls.get_ref();
        let server_name = session.server_name().map(str::to_owned);
        let alpn = session.alpn_protocol().map(<[u8]>::to_vec);
        Ok(Peer {
            stream: Box::new(tls),
            server_name,
            alpn,
        })
    }

    /// Accepts, takes CONNECT and answers with success.
    pub async fn accept_session(&self, session_present: bool, properties: &[u8]) -> io::Result<Peer> {
        let mut peer = self.accept().await?;
        peer.connect().await?;
        peer.send(&wire::connack(session_present, 0, properties)).await?;
        Ok(peer)
    }
}

impl Peer {
    pub async fn connect(&mut self) -> io::Result<Connect> {
        match self.read().await? {
            Received::Connect(connect) => Ok(connect),
            other => Err(io::Error::other(format!("expected CONNECT, got {other:?}"))),
        }
    }

    pub async fn read(&mut self) -> io::Result<Received> {
        timeout(GUARD, self.read_unguarded())
            .await
            .map_err(|_| io::Error::other("the candidate sent nothing"))?
    }

    async fn read_unguarded(&mut self) -> io::Result<Received> {
        let first = self.stream.read_u8().await?;
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.stream.read_u8().await?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        wire::decode(first, &body).ok_or_else(|| io::Error::other(format!("malformed packet, first byte {first:#x}")))
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Waits for the candidate to close; what it still sends is dropped.
    pub async fn closed(&mut self) -> io::Result<()> {
        let mut sink = [0; 4096];
        while timeout(GUARD, self.stream.read(&mut sink)).await?.unwrap_or(0) > 0 {}
        Ok(())
    }
}
