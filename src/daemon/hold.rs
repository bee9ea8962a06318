//! A start without any usable configuration, while the service manager has credentials of the run before.
//!
//! An end with 78 would have systemd drop them. So the process stays, holds them, tells every caller what is wrong, and goes on with
//! the start as soon as the files are right. Without a configuration there are no access rules, so nothing is handed out.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::start::{self, Start};
use super::{Signals, outlive};
use crate::clock::Clock;
use crate::config::Folders;
use crate::credentials::sealed_snapshot;
use crate::event::{Event, journal};
use crate::problem::{Exit, Fatal};
use crate::{last_end, systemd};

/// Between two looks at the files, and at the credentials' age.
const LOOK: Duration = Duration::from_secs(2);
/// For a caller to send its request and take the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Callers that are answered at once.
const CALLERS: usize = 64;
/// Maximum number of bytes read of a request. They are ignored, but closing a socket with unread data resets the connection.
const REQUEST: usize = 16 * 1024;

/// How it ends.
pub(super) enum Held {
    /// The files are right.
    Start(Box<Start>),
    /// A signal has come.
    Stopped,
    /// There are no credentials any more.
    Expired(Fatal),
}

/// Whether one of these descriptors has credentials that are still good.
pub(super) fn is_worth_it<'a>(stored: impl IntoIterator<Item = &'a OwnedFd>, clock: &dyn Clock) -> bool {
    stored
        .into_iter()
        .any(|file| !sealed_snapshot::longest_left(file, clock).is_zero())
}

/// Holds the credentials in `stored` until the configuration at `path` can be used.
pub(super) async fn hold(
    path: &Path,
    fatal: Fatal,
    stored: &[&OwnedFd],
    listener: Option<UnixListener>,
    signals: &mut Signals,
    clock: &dyn Clock,
) -> Held {
    outlive::announce(&fatal);
    systemd::ready();
    systemd::failed(&fatal);
    // Who looks is told the reason under its exit code; until the start goes on, nothing else is known.
    last_end::note(&Folders::from_environment(), Some(&fatal));
    let body = body(&fatal);
    let held = async {
        let _listening = listener.map(|listener| spawn_local(refuse(listener, body)));
        loop {
            systemd::alive();
            tokio::select! {
                _ = signals.terminate.recv() => return Held::Stopped,
                _ = signals.interrupt.recv() => return Held::Stopped,
                _ = signals.hangup.recv() => {}
                () = sleep(LOOK) => {}
            }
            match start::begin(path) {
                Ok(start) => {
                    journal!(Level::Info, Event::ConfigurationLoaded; "configuration: the files can be used, and the start goes on");
                    return Held::Start(Box::new(start));
                }
                // What else is wrong is for systemd to try again.
                Err(other) if other.exit != Exit::Configuration => return Held::Expired(other),
                Err(other) if !is_worth_it(stored.iter().copied(), clock) => return Held::Expired(other),
                Err(_) => {}
            }
        }
    };
    LocalSet::new().run_until(held).await
}

/// Answers every caller with what is wrong.
async fn refuse(listener: UnixListener, body: String) {
    let Ok(listener) = tokio::net::UnixListener::from_std(listener) else {
        return;
    };
    let (places, body) = (Arc::new(Semaphore::new(CALLERS)), Rc::new(body));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let body = body.clone();
                spawn_local(async move {
                    let _ = timeout(PATIENCE, answer(stream, &body)).await;
                    drop(place);
                });
            }
            Err(error) => {
                log::debug!("socket: a connection was not accepted: {error}");
                sleep(LOOK).await;
            }
        }
    }
}

async fn answer(mut stream: UnixStream, body: &str) -> std::io::Result<()> {
    let mut request = vec![0; REQUEST];
    let _ = stream.read(&mut request).await?;
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The form of every refusal on the socket.
fn body(fatal: &Fatal) -> String {
    serde_json::json!({
        "code": "not_ready",
        "message": fatal.problem.message,
        "hint": fatal.problem.next_step,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    #[test]
    fn a_refusal_says_what_is_wrong_and_what_to_do() {
        let problem = Problem::configuration("a.toml:1:1: \"x\" is\nno TOML").next("correct it");
        let body = body(&Fatal::new(Exit::Configuration, problem));
        let document: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(document["code"], "not_ready");
        assert_eq!(document["message"], "a.toml:1:1: \"x\" is\nno TOML");
        assert_eq!(document["hint"], "correct it");
    }
}
