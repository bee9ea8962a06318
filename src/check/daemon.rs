//! Asks the running daemon, or says why it does not run.
//!
//! The socket comes last: systemd would start the daemon for whoever connects, although somebody has stopped it, or although
//! each start costs the token a try of its PIN.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::lines::DAEMON;
use super::report::Report;
use crate::config::{Folders, RUNTIME_FOLDER};
use crate::problem::{Exit, Problem};
use crate::service::UnitState;
use crate::{last_end, local};

/// The daemon answers from memory.
const PATIENCE: Duration = Duration::from_secs(5);
/// A status document with a hundred role aliases is a quarter of this.
const MAX_ANSWER: usize = 256 * 1024;

/// What came of asking for the status.
pub enum Answer {
    /// The status document.
    Status(Value),
    /// Nobody answers.
    NotRunning(NotRunning),
}

/// Why the daemon does not run.
#[derive(Debug)]
pub struct NotRunning {
    exit: Exit,
    problem: Problem,
}

/// An HTTP answer of the daemon's.
pub struct Response {
    /// Its status code.
    pub status: StatusCode,
    /// Its body.
    pub document: Value,
}

impl NotRunning {
    /// The line about it.
    pub fn tell(&self, report: &mut Report) {
        report.fail(DAEMON, self.exit, &self.problem);
    }

    /// Whether the token has rejected the PIN, so that nobody else may try it.
    pub fn pin_was_rejected(&self) -> bool {
        self.exit == Exit::Pin
    }
}

/// Asks for the status.
pub async fn ask(folders: &Folders) -> Answer {
    let socket = socket(folders);
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let unit = (folder == Path::new(RUNTIME_FOLDER)).then(UnitState::ask).flatten();
    if let Some(last_end) = last_end::read(folder) {
        let (exit, problem) = last_end.verdict();
        let exit = match unit {
            Some(unit) if unit.is_about_to_start() => Exit::Unavailable,
            _ => exit,
        };
        return Answer::NotRunning(NotRunning { exit, problem });
    }
    if let Some((exit, problem)) = unit.and_then(|unit| unit.why_not_running()) {
        return Answer::NotRunning(NotRunning { exit, problem });
    }
    match get(&socket, "/v1/status").await {
        Some(response) => Answer::Status(response.document),
        None => {
            let problem = Problem::configuration(format!("gatepostd does not answer at {}", socket.display()));
            Answer::NotRunning(NotRunning {
                exit: Exit::NotRunning,
                problem: problem.next("systemctl start gatepost"),
            })
        }
    }
}

/// Where the daemon is asked: the command `gatepost` hands its `--socket` over in its own variable.
pub fn socket(folders: &Folders) -> PathBuf {
    let given = std::env::var_os("GATEPOST_SOCKET").filter(|given| !given.is_empty());
    given.map_or_else(|| local::path(folders), PathBuf::from)
}

/// Gets a document from the socket; `None` where no answer comes.
pub async fn get(socket: &Path, target: &str) -> Option<Response> {
    let exchange = async {
        let stream = UnixStream::connect(socket).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let request = Request::get(target).header("host", "localhost");
        let request = request.body(Empty::<Bytes>::new()).ok()?;
        tokio::select! {
            answer = async {
                let answer = sender.send_request(request).await.ok()?;
                let status = answer.status();
                let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.ok()?;
                let document = serde_json::from_slice(&body.to_bytes()).ok()?;
                Some(Response { status, document })
            } => answer,
            _ = connection => None,
        }
    };
    timeout(PATIENCE, exchange).await.ok()?
}
