//! Answers programs for whose connection there is no slot, so that they learn why.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::mqtt::{Action, ReasonCode, Server, ServerOptions};

/// Connections that are answered at a time. Beyond that they are closed without an answer.
pub(super) const MAX_ANSWERING: usize = 32;
/// The longest CONNECT that is read.
const MAX_CONNECT: usize = 4096;
/// Maximum time for CONNECT and its answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The reason string.
const WORDS: &str = "this user has as many MQTT connections as one user may have, or gatepost as many as it serves";

/// Reads CONNECT, and refuses it.
pub(super) async fn refuse_for_lack_of_slots<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let _ = timeout(TIMEOUT, async {
        let mut server = Server::new(ServerOptions::default(), Instant::now());
        let mut input = BytesMut::new();
        loop {
            match server.next(&mut input, Instant::now()) {
                Some(Action::Connect(_)) => {
                    server.refuse(ReasonCode::QUOTA_EXCEEDED, Some(WORDS));
                    break;
                }
                // A protocol error has its own answer.
                Some(_) => break,
                None if input.len() >= MAX_CONNECT => return Ok(()),
                None if stream.read_buf(&mut input).await? == 0 => return Ok(()),
                None => {}
            }
        }
        let output = server.output().split();
        stream.write_all(&output).await?;
        stream.shutdown().await
    })
    .await;
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// The answer to these bytes.
    async fn answer(bytes: &[u8]) -> Vec<u8> {
        let (mut client, stream) = duplex(64 * 1024);
        client.write_all(bytes).await.unwrap();
        refuse_for_lack_of_slots(stream).await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn connect_is_refused_in_the_clients_version_and_anything_else_is_closed() {
        let v5 = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02gw";
        let v3 = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02gw";
        let refused = answer(v5).await;
        assert_eq!((refused[0], refused[3]), (0x20, 0x97), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused).contains(WORDS));
        assert_eq!(answer(v3).await, b"\x20\x02\x00\x03");
        for (what, bytes) in [
            ("half a CONNECT, and then silence", &v5[..7]),
            ("nothing", b""),
            ("another packet", b"\xc0\x00"),
            ("HTTP", b"GET / HTTP/1.1\r\n\r\n"),
        ] {
            assert_eq!(answer(bytes).await, b"", "{what}");
        }
        let long = [&b"\x10\xff\x7f\x00\x04MQTT\x05\x02"[..], &[0; 8192]].concat();
        assert_eq!(answer(&long).await, b"", "a CONNECT that is too long to be read");
    }
}
