//! Asks the running daemon at its socket, for the checks and for what gatepostd does in the place of the command `gatepost`.

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

/// The daemon answers from memory; to read its files again takes it a look into a directory service at worst.
const PATIENCE: Duration = Duration::from_secs(10);
/// A status document with a hundred role aliases is a quarter of this.
const MAX_ANSWER: usize = 1024 * 1024;

/// An answer of the daemon's.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Where the daemon is asked: the command `gatepost` hands its `--socket` over in its own variable.
pub fn socket(folders: &Folders) -> PathBuf {
    let given = std::env::var_os("GATEPOST_SOCKET").filter(|given| !given.is_empty());
    given.map_or_else(|| local::path(folders), PathBuf::from)
}

/// The answer to a GET; `None` where no daemon gives one.
pub fn get(socket: &Path, target: &str) -> Option<Answer> {
    ask(socket, Method::GET, target)
}

/// The answer to a POST without a body; `None` where no daemon gives one.
pub fn post(socket: &Path, target: &str) -> Option<Answer> {
    ask(socket, Method::POST, target)
}

fn ask(socket: &Path, method: Method, target: &str) -> Option<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(request(socket, method, target, PATIENCE))
}

/// Sends a request without a body; `None` where no daemon answers within `patience`.
pub async fn request(socket: &Path, method: Method, target: &str, patience: Duration) -> Option<Answer> {
    timeout(patience, exchange(socket, method, target)).await.ok()?
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
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.ok()?.to_bytes();
            Some(Answer { status, body })
        } => answer,
        _ = connection => None,
    }
}
