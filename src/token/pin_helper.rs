//! Asks for the PIN that systemd keeps encrypted, and that only root can decrypt.
//!
//! Decrypting takes a TPM about as many commands as opening the token does, which is seconds on a slow one. As a credential of
//! gatepost.service the PIN would be decrypted before gatepostd is executed, and local programs would wait for that after every
//! crash and restart. So gatepostd asks for it from its token thread, while its socket is already answered:
//! gatepost-pin.socket starts systemd/decrypt-pin, which writes one answer and ends.

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
/// How long decrypting may take. It stays below the time that the token thread may be away to open the token.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest answer that is read: far more than a PIN, and enough for the words of a failure.
const MAX_ANSWER: u64 = 4096;

/// The way to ask.
#[derive(Clone, Debug)]
pub(super) struct PinHelper {
    socket: PathBuf,
}

/// The bytes of a PIN as they were encrypted, or `None` where nothing is encrypted.
pub(super) type Decrypted = Option<Zeroizing<Vec<u8>>>;

impl PinHelper {
    pub(super) fn in_folder(runtime: &Path) -> Self {
        Self {
            socket: runtime.join(SOCKET),
        }
    }

    /// Asks and waits for the answer. Without the socket there is no PIN to be had this way.
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
        stream.set_read_timeout(Some(PATIENCE))?;
        // Reserved at once: a buffer that grows would leave copies of the PIN behind.
        let mut answer = Zeroizing::new(Vec::with_capacity(MAX_ANSWER as usize + 1));
        stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// The first line says what follows: `pin` and the PIN, `none`, or `wait` or `failed` with a line for the cause and one for the
/// next step.
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
    // A line of nothing but control characters says nothing.
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

    /// Asks a helper that gives this answer, and returns the outcome.
    fn asked(answer: &[u8]) -> Result<Decrypted, TokenError> {
        let folder = tempfile::tempdir().unwrap();
        let helper = PinHelper::in_folder(folder.path());
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Whoever has read enough closes first.
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
            let asked = asked(answer).unwrap();
            assert_eq!(asked.as_ref().map(|pin| pin.as_slice()), pin, "{answer:?}");
        }
    }

    #[test]
    fn a_failure_says_cause_and_next_step_and_who_can_mend_it() {
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
            let Err(TokenError::Device(problem)) = asked(answer.as_bytes()) else {
                panic!("{answer:?} is no failure");
            };
            assert_eq!(problem.remedy, remedy, "{answer:?}");
            assert!(problem.to_string().contains(words), "{answer:?}: {problem}");
            assert!(!problem.to_string().contains("1234"), "{answer:?}: {problem}");
        }
    }

    #[test]
    fn an_answer_without_end_is_cut() {
        let pin = asked(&[b"pin\n".as_slice(), &[b'1'; 10_000]].concat())
            .unwrap()
            .unwrap();
        assert_eq!(pin.len(), 4092);
    }

    #[test]
    fn without_the_socket_there_is_none_and_nobody_behind_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let helper = PinHelper::in_folder(folder.path());
        assert!(helper.ask().unwrap().is_none());
        drop(UnixListener::bind(folder.path().join(SOCKET)).unwrap());
        let problem = helper.ask().unwrap_err().problem().to_string();
        assert!(problem.contains("systemd does not hand over the PIN"), "{problem}");
    }
}
