//! Asks for the encrypted PIN, which only root can decrypt.
//!
//! Decrypting takes seconds on a slow TPM, about as long as opening the token. As a credential of gatepost.service the PIN
//! would be decrypted before gatepostd starts, and local programs would wait for that after every crash and restart. Therefore
//! the token thread asks for it while the daemon already answers local programs. gatepost-pin.socket starts
//! systemd/decrypt-pin, which writes one reply and ends.

use std::io::{self, ErrorKind, Read as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::error::TokenError;
use crate::event::Event;
use crate::problem::{Problem, quoted};

/// The socket's name in the runtime folder (systemd/gatepost-pin.socket).
const SOCKET: &str = "pin.sock";
/// How long decrypting may take. It is less than the time that the token thread may take to open the token.
const READ_TIMEOUT: Duration = Duration::from_secs(90);
/// The longest reply: far more than a PIN, and enough for the description of a failure.
const MAX_REPLY: u64 = 4096;

/// A client of the helper's socket.
#[derive(Clone, Debug)]
pub(super) struct PinHelper {
    socket: PathBuf,
}

/// The decrypted bytes of a PIN, or `None` if there is no encrypted PIN.
pub(super) type Decrypted = Option<Zeroizing<Vec<u8>>>;

impl PinHelper {
    pub(super) fn in_folder(runtime: &Path) -> Self {
        Self {
            socket: runtime.join(SOCKET),
        }
    }

    /// Asks for the PIN and waits for the reply. Without the socket there is no PIN.
    pub(super) fn ask(&self) -> Result<Decrypted, TokenError> {
        let answer = match self.read() {
            Ok(answer) => answer,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unanswered(&error.to_string())),
        };
        parse(answer)
    }

    fn read(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        let stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        // Allocated at once, because a growing buffer would leave copies of the PIN behind.
        let mut answer = Zeroizing::new(Vec::with_capacity(MAX_REPLY as usize + 1));
        stream.take(MAX_REPLY).read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// Parses the reply. Its first line is `pin`, followed by the PIN, or `none`, or `wait` or `failed`, followed by a line with
/// the cause and one with the next step.
fn parse(answer: Zeroizing<Vec<u8>>) -> Result<Decrypted, TokenError> {
    let mut parts = answer.splitn(2, |byte| *byte == b'\n');
    let (kind, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let problem = match kind {
        b"pin" => return Ok(Some(Zeroizing::new(rest.to_vec()))),
        b"none" => return Ok(None),
        b"wait" => Problem::wait,
        b"failed" => Problem::factory,
        _ => return Err(unanswered("it ended without an answer")),
    };
    let text = String::from_utf8_lossy(rest);
    let mut lines = text.lines().map(quoted);
    // A line that has only control characters is empty.
    let mut line = |otherwise: &str| {
        lines
            .next()
            .filter(|line| !line.is_empty())
            .unwrap_or(otherwise.to_owned())
    };
    let cause = line("for an unknown reason");
    let step = line("journalctl -t decrypt-pin");
    let problem = problem(format!("systemd cannot decrypt the PIN in {cause}"));
    Err(TokenError::Device(problem.next(step).about(Event::PinUndecryptable)))
}

fn unanswered(why: &str) -> TokenError {
    let problem = Problem::wait(format!("systemd does not hand over the PIN: {why}"));
    TokenError::Device(problem.next("gatepost asks again by itself; journalctl -t decrypt-pin says more"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::problem::Remedy;

    /// Asks a helper that gives this reply.
    fn ask(answer: &[u8]) -> Result<Decrypted, TokenError> {
        let folder = tempfile::tempdir().unwrap();
        let helper = PinHelper::in_folder(folder.path());
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The client may close the connection first.
                let _ = listener.accept().unwrap().0.write_all(answer);
            });
            helper.ask()
        })
    }

    #[test]
    fn a_pin_is_what_follows_the_first_line() {
        for (answer, pin) in [
            (&b"pin\n1234"[..], Some(&b"1234"[..])),
            (b"pin\n12\n34\n", Some(b"12\n34\n")),
            (b"pin\n", Some(b"")),
            (b"pin", Some(b"")),
            (b"pin\n\xff", Some(b"\xff")),
            (b"none\n", None),
            (b"none", None),
        ] {
            let asked = ask(answer).unwrap();
            assert_eq!(asked.as_ref().map(|pin| pin.as_slice()), pin, "{answer:?}");
        }
    }

    #[test]
    fn a_failure_has_cause_next_step_and_remedy() {
        for (answer, remedy, words) in [
            (
                "wait\n/x: locked\nwait more\n",
                Remedy::Wait,
                "the PIN in /x: locked; next: wait more",
            ),
            (
                "failed\n/x: foreign\nagain",
                Remedy::Factory,
                "the PIN in /x: foreign; next: again",
            ),
            (
                "failed\n/x: \x1b[31mred\n\x07",
                Remedy::Factory,
                "/x: [31mred; next: journalctl",
            ),
            ("failed\n/x", Remedy::Factory, "in /x; next: journalctl"),
            ("failed", Remedy::Factory, "for an unknown reason"),
            ("", Remedy::Wait, "it ended without an answer"),
            ("\n", Remedy::Wait, "it ended without an answer"),
            ("pinned\n1234", Remedy::Wait, "it ended without an answer"),
            ("PIN\n1234", Remedy::Wait, "it ended without an answer"),
        ] {
            let Err(TokenError::Device(problem)) = ask(answer.as_bytes()) else {
                panic!("{answer:?} is not a failure");
            };
            assert_eq!(problem.remedy, remedy, "{answer:?}");
            assert!(problem.to_string().contains(words), "{answer:?}: {problem}");
            assert!(!problem.to_string().contains("1234"), "{answer:?}: {problem}");
        }
    }

    #[test]
    fn an_endless_reply_is_truncated() {
        let pin = ask(&[b"pin\n".as_slice(), &[b'1'; 10_000]].concat()).unwrap().unwrap();
        assert_eq!(pin.len(), 4092);
    }

    #[test]
    fn a_missing_socket_means_no_pin_and_a_closed_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let helper = PinHelper::in_folder(folder.path());
        assert!(helper.ask().unwrap().is_none());
        drop(UnixListener::bind(folder.path().join(SOCKET)).unwrap());
        let problem = helper.ask().unwrap_err().problem().to_string();
        assert!(problem.contains("systemd does not hand over the PIN"), "{problem}");
    }
}
