//! Accepts connections and serves HTTP/1.1 with keep-alive on them (session-helper development notes: "Connection left intact").

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::answer;
use super::client::Client;
use crate::Endpoint;
use crate::account::Standing;
use crate::cloud::Cloud;
use crate::events::Event;
use crate::listener::Listener;
use crate::tls::{self, Accepted};

/// The bytes that the switch sends in place of HTTP.
const GARBAGE: &[u8] = b"\x00\xFFthis is not HTTP\r\n\r\n";

/// Serves the credentials provider.
pub(crate) async fn serve(cloud: Arc<Cloud>, listener: Listener) {
    loop {
        let (tcp, peer) = listener.accept().await;
        let cloud = cloud.clone();
        tokio::spawn(async move {
            if let Some(accepted) = tls::accept(&cloud, Endpoint::Credentials, tcp, peer).await {
                serve_connection(cloud, accepted).await;
            }
        });
    }
}

async fn serve_connection(cloud: Arc<Cloud>, accepted: Accepted) {
    let Accepted {
        stream,
        peer,
        certificate,
        id,
    } = accepted;
    // Connections of unknown and inactive certificates are closed without HTTP (session-helper development notes).
    let reason = match cloud.standing(&certificate) {
        Standing::Active => None,
        Standing::ToProvision { .. } => Some("the certificate is PENDING_ACTIVATION".to_owned()),
        Standing::Rejected(reason) => Some(reason),
    };
    if let Some(reason) = reason {
        cloud.events.push(Event::TlsRefused {
            endpoint: Endpoint::Credentials,
            peer,
            reason,
        });
        return;
    }
    let garbage = Arc::new(AtomicBool::new(false));
    let stream = TokioIo::new(Spoiled {
        stream,
        garbage: garbage.clone(),
    });
    let client = Arc::new(Client {
        id,
        certificate,
        peer,
        garbage,
    });
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (cloud, client) = (cloud.clone(), client.clone());
        async move { Ok::<_, Infallible>(answer::answer(&cloud, &client, &request).await) }
    });
    // The client or a switch ends the connection, so its result does not matter.
    let _ = http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(stream, service)
        .await;
}

/// A stream that sends garbage in place of its data, once it is told to.
struct Spoiled {
    stream: TlsStream<TcpStream>,
    garbage: Arc<AtomicBool>,
}

impl AsyncRead for Spoiled {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Spoiled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        if self.garbage.load(Ordering::Relaxed) {
            let written = Pin::new(&mut self.stream).poll_write(cx, GARBAGE);
            return written.map_ok(|_| buf.len());
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
