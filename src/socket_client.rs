//! A client for the socket of the running daemon, for checks and for commands that `gatepost` delegates to gatepostd.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::config::Folders;
use crate::local;

/// Time limit of a request. The daemon answers from memory; only a reload may wait for a directory service.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum size of a response. A status document with a hundred role aliases is a quarter of that size.
const MAX_RESPONSE: usize = 1024 * 1024;

/// A response of the daemon.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Returns the path of the daemon's socket. The command `gatepost` passes its option `--socket` in an environment variable.
pub fn socket(folders: &Folders) -> PathBuf {
    let given = std::env::var_os("GATEPOST_SOCKET").filter(|given| !given.is_empty());
    given.map_or_else(|| local::socket_path(folders), PathBuf::from)
}

/// Sends a GET request; `None` if no daemon responds.
pub fn get(socket: &Path, target: &str) -> Option<Answer> {
    ask(socket, Method::GET, target)
}

/// Sends a POST request without a body; `None` if no daemon responds.
pub fn post(socket: &Path, target: &str) -> Option<Answer> {
    ask(socket, Method::POST, target)
}

fn ask(socket: &Path, method: Method, target: &str) -> Option<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(request(socket, method, target, TIMEOUT))
}

/// Sends a request without a body; `None` if no daemon responds within `limit`.
pub async fn request(socket: &Path, method: Method, target: &str, limit: Duration) -> Option<Answer> {
    timeout(limit, exchange(socket, method, target)).await.ok()?
}

async fn exchange(socket: &Path, method: Method, target: &str) -> Option<Answer> {
    let stream = UnixStream::connect(socket).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "localhost");
    let request = request.body(Empty::<Bytes>::new()).ok()?;
    tokio::select! {
        answer = async {
            let answer = sender.send_request(request).await.ok()?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), MAX_RESPONSE).collect().await.ok()?.to_bytes();
            Some(Answer { status, body })
        } => answer,
        _ = connection => None,
    }
}
