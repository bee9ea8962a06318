//! The connection that the two session-less candidates are driven over: TCP, TLS if asked, and a buffer each way, so that
//! cancelling [`Pipe::progress`] anywhere loses no byte.

use std::{io, sync::Arc};

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    select,
};
use tokio_rustls::TlsConnector;

use crate::{
    broker::Stream,
    candidate::{ConnectOptions, Failure},
};

pub struct Pipe {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    pub input: BytesMut,
    pub output: BytesMut,
    unflushed: bool,
    /// Writing failed: the peer takes nothing any more.
    deaf: bool,
}

impl Pipe {
    pub async fn open(options: &ConnectOptions) -> io::Result<Self> {
        let tcp = TcpStream::connect(options.address).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &options.tls {
            None => Box::new(tcp),
            Some(config) => {
                let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                Box::new(TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?)
            }
        };
        let (reader, writer) = tokio::io::split(stream);
        Ok(Self {
            reader,
            writer,
            input: BytesMut::new(),
            output: BytesMut::new(),
            unflushed: false,
            deaf: false,
        })
    }

    /// Returns when something was read or written.
    pub async fn progress(&mut self) -> Result<(), Failure> {
        let Self {
            reader,
            writer,
            input,
            output,
            unflushed,
            deaf,
        } = self;
        let nothing_to_send = *deaf || (output.is_empty() && !*unflushed);
        let send = async {
            if output.is_empty() {
                writer.flush().await?;
                *unflushed = false;
            } else {
                writer.write_buf(output).await?;
                *unflushed = true;
            }
            Ok::<_, io::Error>(())
        };
        input.reserve(4096);
        select! {
            read = reader.read_buf(input) => match read {
                Ok(0) => Err(dropped(&io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => Ok(()),
                Err(error) => Err(dropped(&error)),
            },
            sent = send, if !nothing_to_send => {
                // What the peer said before it hung up, PUBACKs above all, can still be read.
                *deaf |= sent.is_err();
                Ok(())
            }
        }
    }

    /// Writes what is left, closes the sending side (for TLS with close_notify), and waits for the peer to close: a
    /// socket closed with unread bytes sends RST, and DISCONNECT could die with it.
    pub async fn finish(mut self) -> io::Result<()> {
        self.writer.write_all_buf(&mut self.output).await?;
        self.writer.shutdown().await?;
        let mut unread = [0; 4096];
        while self.reader.read(&mut unread).await.unwrap_or(0) > 0 {}
        Ok(())
    }
}

pub fn dropped(error: &io::Error) -> Failure {
    Failure::Dropped(format!("io::ErrorKind::{:?}", error.kind()))
}
