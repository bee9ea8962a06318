//! Tests when a connection with an endless response ends.

use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::local::http::{self, LineSource};
use crate::local::limits::Origin;
use crate::local::listeners::Connections;

const SUBSCRIBE: &str = "GET /topics/a HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Lines that never come.
#[derive(Debug)]
struct Silent;

impl LineSource for Silent {
    fn poll_line(&mut self, _: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Poll::Pending
    }
}

/// Answers each request with a stream.
struct Streaming;

impl Listener for Streaming {
    const NAME: &'static str = "streaming";
    type Stream = DuplexStream;
    type Peer = &'static str;

    async fn accept(&self) -> io::Result<DuplexStream> {
        std::future::pending().await
    }

    fn identify(&self, _: &DuplexStream) -> io::Result<Option<(Origin, &'static str)>> {
        Ok(None)
    }

    async fn serve_connection(listener: Rc<Self>, stream: DuplexStream, peer: &'static str, slot: ConnectionSlot) {
        serve_http(listener, stream, peer, slot).await;
    }
}

impl HttpListener for Streaming {
    async fn readable(&self, _: &DuplexStream) -> io::Result<()> {
        Ok(())
    }

    fn complete_identity(&self, _: &DuplexStream, _: &mut &'static str, _: &ConnectionSlot) -> Result<(), NoSlotError> {
        Ok(())
    }

    async fn respond(&self, _: &&'static str, _: &ConnectionSlot, _: Request<Incoming>) -> Response {
        http::lines(Silent)
    }
}

/// Sends `bytes` on a new connection, waits until its stream has begun, and checks what ends it.
async fn check_stream(bytes: &[u8], renewed: bool, expected: Expected) {
    let connections = Connections::default();
    let slot = connections.enter(Origin::User(1000)).unwrap();
    let (mut caller, stream) = duplex(64 * 1024);
    let mut serving = pin!(serve_http(Rc::new(Streaming), stream, "a caller", slot));
    caller.write_all(bytes).await.unwrap();
    let mut head = [0; 4096];
    let mut ended = false;
    loop {
        tokio::select! {
            () = serving.as_mut(), if !ended => ended = true,
            read = caller.read(&mut head) => {
                assert!(head[..read.unwrap()].starts_with(b"HTTP/1.1 200 "));
                break;
            }
        }
    }
    if renewed {
        connections.renew();
    }
    ended = ended || timeout(Duration::from_secs(3600), serving.as_mut()).await.is_ok();
    assert_eq!(ended, expected == Expected::EndsAtOnce);
    caller.shutdown().await.unwrap();
    if !ended {
        timeout(Duration::from_secs(1), serving).await.unwrap();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    EndsAtOnce,
    EndsWhenTheCallerCloses,
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_caller_closes_whatever_came_behind_the_request() {
    use Expected::{EndsAtOnce, EndsWhenTheCallerCloses};
    let cases = [
        ("nothing", String::new(), EndsWhenTheCallerCloses),
        ("an empty line", "\r\n".to_owned(), EndsWhenTheCallerCloses),
        ("the next request", SUBSCRIBE.to_owned(), EndsWhenTheCallerCloses),
        ("the start of a request", "GET /to".to_owned(), EndsWhenTheCallerCloses),
        ("no request", "\0\0\0".to_owned(), EndsWhenTheCallerCloses),
        (
            "a limit's worth of bytes",
            "x".repeat(MAX_HEAD),
            EndsWhenTheCallerCloses,
        ),
        ("more than two limits", "x".repeat(2 * MAX_HEAD + 1), EndsAtOnce),
    ];
    for (name, behind, expected) in cases {
        for renewed in [false, true] {
            println!("{name}, renewed: {renewed}");
            check_stream(format!("{SUBSCRIBE}{behind}").as_bytes(), renewed, expected).await;
        }
    }
}
