//! The method helper: a program of the operator's gets the certificate from the CA.
//!
//! systemd starts the program for each connection to gatepost-enrol.socket, as a unit of its own without access to the token, its PIN and
//! gatepost's files. gatepostd sends the signing request and reads the program's output (`helper_reply`).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::Purpose;
use super::credential::CredentialKind;
use super::failure::{Failure, FailureKind};
use super::helper_reply::{MAX_REPLY, interpret};
use super::method::{Method, Outcome, Request, Requesting};
use super::texts::MethodTexts;
use crate::pem_file;
use crate::problem::Problem;

/// The socket's name in the runtime folder (systemd/gatepost-enrol.socket).
const SOCKET: &str = "enrol.sock";
/// Time limit for the program. systemd ends it sooner (RuntimeMaxSec= of gatepost-enrol@.service).
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(330);

const TEXTS: MethodTexts = MethodTexts {
    issuer: "the enrolment program",
    without_credential: "start gatepost-enrol.socket",
    after_expiry: "start gatepost-enrol.socket",
};

/// The method helper.
pub(super) struct HelperMethod {
    socket: PathBuf,
    time_limit: Duration,
}

impl HelperMethod {
    pub(super) fn new(runtime: &Path) -> Self {
        Self {
            socket: runtime.join(SOCKET),
            time_limit: PROGRAM_TIMEOUT,
        }
    }

    async fn ask(&self, request: &[u8]) -> Result<Outcome, Failure> {
        let mut stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| no_socket(&error))?;
        let exchange = async {
            stream.write_all(request).await?;
            stream.shutdown().await?;
            let mut reply = Vec::new();
            let limit = u64::try_from(MAX_REPLY).unwrap_or(u64::MAX).saturating_add(1);
            (&mut stream).take(limit).read_to_end(&mut reply).await?;
            Ok::<_, std::io::Error>(reply)
        };
        match tokio::time::timeout(self.time_limit, exchange).await {
            Ok(Ok(reply)) => interpret(&reply),
            Ok(Err(error)) => Err(unfinished(&error.to_string())),
            Err(_) => Err(unfinished(&format!(
                "it has not ended within {} s",
                self.time_limit.as_secs()
            ))),
        }
    }
}

impl Method for HelperMethod {
    fn texts(&self) -> &'static MethodTexts {
        &TEXTS
    }

    fn issuer(&self) -> String {
        TEXTS.issuer.to_owned()
    }

    fn bootstrap_credential(&self) -> Option<CredentialKind> {
        Some(CredentialKind::Program)
    }

    fn renewal_credential(&self) -> Option<CredentialKind> {
        Some(CredentialKind::Program)
    }

    fn request<'a>(&'a self, request: &'a Request<'a>) -> Requesting<'a> {
        Box::pin(async move { self.ask(&document(request.purpose, &request.csr)).await })
    }
}

/// Returns the request in the form that the unit's script reads: the purpose on the first line, then the signing request in PEM.
fn document(purpose: Purpose, csr: &[u8]) -> Vec<u8> {
    let purpose = match purpose {
        Purpose::First => "first",
        Purpose::Renewal => "renewal",
        Purpose::Replacement => "replacement",
    };
    format!("{purpose}\n{}", pem_file::encode("CERTIFICATE REQUEST", [csr])).into_bytes()
}

fn no_socket(error: &std::io::Error) -> Failure {
    let problem = match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            Problem::configuration("nothing listens for enrolment requests (gatepost-enrol.socket)")
                .next("systemctl start gatepost-enrol.socket")
        }
        _ => Problem::wait(format!("the enrolment program cannot be started: {error}"))
            .next("systemctl status gatepost-enrol.socket"),
    };
    Failure::new(FailureKind::Unreachable, problem)
}

/// Returns the failure of a connection that ended before the program's exit code arrived.
fn unfinished(why: &str) -> Failure {
    let problem = Problem::wait(format!("the enrolment program gave no result: {why}"));
    Failure::new(
        FailureKind::Unavailable,
        problem.next("journalctl -t gatepost-enrol shows what the program printed"),
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Sends a request to a program that gives this reply.
    async fn ask(reply: Option<&'static [u8]>) -> (Result<Outcome, Failure>, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let program = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            stream.read_to_end(&mut request).unwrap();
            if let Some(reply) = reply {
                // The client may close the connection first.
                let _ = stream.write_all(reply);
                return (request, None);
            }
            // Stays open until the client has given up.
            (request, Some(stream))
        });
        let mut method = HelperMethod::new(folder.path());
        method.time_limit = match reply {
            Some(_) => PROGRAM_TIMEOUT,
            None => Duration::from_millis(20),
        };
        let outcome = method.ask(&document(Purpose::Renewal, &[0x30; 100])).await;
        let (request, _open) = program.join().unwrap();
        (outcome, request)
    }

    #[tokio::test]
    async fn the_program_gets_purpose_and_request() {
        let (outcome, request) = ask(Some(b"exit 75\n90\n")).await;
        assert!(matches!(outcome, Ok(Outcome::Wait(wait)) if wait == Duration::from_secs(90)));
        let text = String::from_utf8(request).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("renewal"));
        assert_eq!(lines.next(), Some("-----BEGIN CERTIFICATE REQUEST-----"));
        assert!(lines.all(|line| line.len() <= 64), "{text}");
    }

    #[tokio::test]
    async fn a_program_that_hangs_or_dies_costs_one_attempt() {
        for (reply, words) in [(None, "has not ended within"), (Some(&b""[..]), "gave no result")] {
            let Err(failure) = ask(reply).await.0 else {
                panic!("{words}")
            };
            assert_eq!(failure.kind, FailureKind::Unavailable);
            assert!(failure.problem.to_string().contains(words), "{}", failure.problem);
        }
    }

    #[tokio::test]
    async fn a_socket_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(folder.path().join(SOCKET)).unwrap());
        let Err(refused) = HelperMethod::new(folder.path()).ask(b"").await else {
            panic!("nobody listens");
        };
        let Err(missing) = HelperMethod::new(&folder.path().join("none")).ask(b"").await else {
            panic!("nobody listens");
        };
        for failure in [refused, missing] {
            assert_eq!(failure.kind, FailureKind::Unreachable);
            assert!(
                failure
                    .problem
                    .to_string()
                    .contains("systemctl start gatepost-enrol.socket")
            );
        }
    }
}
