//! Holds credentials of the previous run while the configuration is unusable.
//!
//! If the process exited with 78, systemd would drop the credentials that it stores for the service. So the process stays, tells
//! every caller what is wrong, and continues the start once the files are right. Without a configuration there are no access rules,
//! so no credentials are handed out.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::outlive;
use super::signals::Signals;
use super::start::{self, Start};
use crate::clock::Clock;
use crate::config::Folders;
use crate::credentials::sealed_snapshot;
use crate::event::{Event, journal};
use crate::problem::{Exit, Fatal};
use crate::systemd::Descriptors;
use crate::{last_end, systemd};

/// Interval between two checks of the files and of the credentials' expiry.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// Time for a caller to send its request and receive the response.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of callers that are answered concurrently.
const MAX_CALLERS: usize = 64;
/// Maximum number of bytes read of a request. They are ignored, but closing a socket with unread data resets the connection.
const MAX_REQUEST: usize = 16 * 1024;

/// Returns the configuration to start with. Waits for a usable one if there are credentials to hold; `None` if a signal stops the
/// wait.
///
/// # Errors
/// With the fault of the configuration if there are no credentials to hold, or no longer any.
pub(super) fn choose_configuration(
    path: &Path,
    runtime: &Runtime,
    descriptors: &Descriptors,
    signals: &mut Signals,
    clock: &dyn Clock,
) -> Result<Option<Start>, Fatal> {
    let stored = descriptors.credentials();
    match start::begin(path) {
        Err(fatal) if fatal.exit == Exit::Configuration && are_any_good(&stored, clock) => {
            runtime.block_on(hold(path, fatal, &stored, descriptors.listener(), signals, clock))
        }
        outcome => outcome.map(Some),
    }
}

/// Returns whether one of these descriptors has credentials that are still good.
fn are_any_good(stored: &[&OwnedFd], clock: &dyn Clock) -> bool {
    stored
        .iter()
        .any(|file| !sealed_snapshot::longest_remaining(file, clock).is_zero())
}

/// Waits until the configuration at `path` is usable; `None` after a signal.
async fn hold(
    path: &Path,
    fatal: Fatal,
    stored: &[&OwnedFd],
    listener: Option<UnixListener>,
    signals: &mut Signals,
    clock: &dyn Clock,
) -> Result<Option<Start>, Fatal> {
    outlive::announce(&fatal);
    systemd::ready();
    systemd::failed(&fatal);
    // For `gatepost status` and `gatepost check`, with the exit code. Nothing else is known until the start continues.
    last_end::record(&Folders::from_environment(), Some(&fatal));
    let body = error_body(&fatal);
    let held = async {
        let _listening = listener.map(|listener| spawn_local(refuse_requests(listener, body)));
        loop {
            systemd::alive();
            tokio::select! {
                _ = signals.terminate.recv() => return Ok(None),
                _ = signals.interrupt.recv() => return Ok(None),
                _ = signals.hangup.recv() => {}
                () = sleep(CHECK_INTERVAL) => {}
            }
            match start::begin(path) {
                Ok(start) => {
                    journal!(Level::Info, Event::ConfigurationLoaded; "configuration: the files are valid, and the start continues");
                    return Ok(Some(start));
                }
                // Other faults may be temporary: systemd starts the service again.
                Err(other) if other.exit != Exit::Configuration => return Err(other),
                Err(other) if !are_any_good(stored, clock) => return Err(other),
                Err(_) => {}
            }
        }
    };
    LocalSet::new().run_until(held).await
}

/// Answers every request with the fault of the configuration.
async fn refuse_requests(listener: UnixListener, body: String) {
    let Ok(listener) = tokio::net::UnixListener::from_std(listener) else {
        return;
    };
    let (permits, body) = (Arc::new(Semaphore::new(MAX_CALLERS)), Rc::new(body));
    while let Ok(permit) = permits.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let body = body.clone();
                spawn_local(async move {
                    let _ = timeout(EXCHANGE_TIMEOUT, respond(stream, &body)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                log::debug!("socket: a connection was not accepted: {error}");
                sleep(CHECK_INTERVAL).await;
            }
        }
    }
}

async fn respond(mut stream: UnixStream, body: &str) -> std::io::Result<()> {
    let mut request = vec![0; MAX_REQUEST];
    let _ = stream.read(&mut request).await?;
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// Returns the body of an error response, in the form that all errors of the socket have.
fn error_body(fatal: &Fatal) -> String {
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
    fn a_response_contains_the_fault_and_the_next_step() {
        let problem = Problem::configuration("a.toml:1:1: \"x\" is\nno TOML").next("correct it");
        let body = error_body(&Fatal::new(Exit::Configuration, problem));
        let document: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(document["code"], "not_ready");
        assert_eq!(document["message"], "a.toml:1:1: \"x\" is\nno TOML");
        assert_eq!(document["hint"], "correct it");
    }
}
