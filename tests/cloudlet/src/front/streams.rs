//! The halves of the client's and the broker's connections, and ways to end the client's.

use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::unix::OwnedReadHalf;
use tokio_rustls::server::TlsStream;

use crate::mqtt::{Connack, FrameReader, Packet, Protocol};

pub(super) type ClientReader = FrameReader<ReadHalf<TlsStream<TcpStream>>>;
pub(super) type ClientWriter = WriteHalf<TlsStream<TcpStream>>;
pub(super) type BrokerReader = FrameReader<OwnedReadHalf>;

/// Refuses a client. MQTT 5 clients get a reason code; 3.1.1 clients see the connection close without CONNACK (paho.mqtt.rust issue 119,
/// mongoose-os issue 178).
pub(super) async fn refuse(write: &mut ClientWriter, protocol: Protocol, code: u8) {
    match protocol {
        Protocol::V5 => answer(write, protocol, code).await,
        Protocol::V311 => close(write).await,
    }
}

/// Answers a CONNECT with this code, and closes the connection.
pub(super) async fn answer(write: &mut ClientWriter, protocol: Protocol, code: u8) {
    let connack = Packet::Connack(Connack::refused(code)).encode(protocol);
    // A client that has gone needs no answer.
    let _ = write.write_all(&connack).await;
    close(write).await;
}

/// Ends a connection with close_notify, as AWS does.
pub(super) async fn close(write: &mut ClientWriter) {
    // The peer may have gone already.
    let _ = write.shutdown().await;
}
