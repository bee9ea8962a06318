//! The bytes of one local connection, sent to the daemon itself, which runs in a thread of this process: every response is well-formed, no
//! response contains a secret, and the next caller is served.

#![no_main]

use std::io::{BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process;
use std::sync::OnceLock;
use std::time::Duration;

use fuzz::daemon::{Daemon, SECRET};
use gatepost_client::http;
use libfuzzer_sys::fuzz_target;

/// Time limit for a complete or an abandoned request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time for the daemon to respond to a complete request, after it has responded to a later caller. If it takes longer, the input had no
/// response, which is not a fault. Half of all inputs are incomplete, so this is most of the cost of an input.
const MOMENT: Duration = Duration::from_millis(2);

static DAEMON: OnceLock<Daemon> = OnceLock::new();

fuzz_target!(
    init: {
        let _ = DAEMON.set(Daemon::start("gatepost.sock"));
    },
    |input: &[u8]| {
        let Daemon { socket, .. } = DAEMON.get().expect("the daemon");
        let connection = send(socket, input);
        // One thread serves both connections, so when it responds to the second one it has processed the first one's input.
        let alive = receive(send(socket, b""), PATIENCE);
        let alive = http::read_response(&mut &alive[..]).expect("the next caller gets an answer");
        assert_eq!(alive.status, 200);
        let answers = receive(connection, MOMENT);
        let leaks = answers.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!leaks, "a secret in an answer");
        read_answers(&answers);
    }
);

/// Sends `bytes`, followed by a last request.
fn send(socket: &Path, bytes: &[u8]) -> UnixStream {
    const LAST: &[u8] = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        // A signal ends the daemon first.
        Err(_) if DAEMON.get().is_some_and(|daemon| daemon.thread.is_finished()) => process::exit(0),
        Err(error) => panic!("{error}"),
    };
    stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
    // The daemon may have responded and closed before it has read everything.
    let _ = stream.write_all(bytes).and_then(|()| stream.write_all(LAST));
    stream
}

/// Reads until the daemon ends the connection. If it waits for more, as in the middle of a body, or continues, as with a stream, our side
/// is closed after `time_limit`.
fn receive(mut stream: UnixStream, time_limit: Duration) -> Vec<u8> {
    let mut answers = Vec::new();
    if reads_to_end(&mut stream, time_limit, &mut answers) {
        return answers;
    }
    let _ = stream.shutdown(Shutdown::Write);
    assert!(
        reads_to_end(&mut stream, PATIENCE, &mut answers),
        "the connection is held"
    );
    answers
}

fn reads_to_end(stream: &mut UnixStream, time_limit: Duration, answers: &mut Vec<u8>) -> bool {
    stream.set_read_timeout(Some(time_limit)).expect("a time limit");
    let outcome = stream.read_to_end(answers);
    !outcome.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Parses everything that the daemon has sent as a sequence of responses, like the command does. Only the last one may be cut off.
fn read_answers(answers: &[u8]) {
    let mut input = BufReader::new(answers);
    while !input.buffer().is_empty() || !input.get_ref().is_empty() {
        match http::read_response(&mut input) {
            // No configured rule grants this user credentials.
            Ok(response) => assert!(!response.body.windows(15).any(|window| window == b"SecretAccessKey")),
            Err(http::ResponseError::Interrupted(_)) => return,
            // The command never causes interim responses (100 Continue), or responses to HEAD and HTTP/1.0.
            Err(_) => return assert!(answers.starts_with(b"HTTP/1.")),
        }
    }
}
