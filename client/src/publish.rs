//! `gatepost publish`: sends a message to AWS through the daemon's outbox and session.

use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::command_line::Matches;
use crate::daemon::{self, Connection, DISK};
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::percent;
use crate::words::number;

/// AWS IoT's maximum payload. One more byte is read and passed on, so that the daemon refuses it.
const MAX_PAYLOAD: u64 = 128 * 1024;
/// Default number of seconds to wait for AWS's acknowledgement.
const WAIT: u64 = 30;

/// Publishes the operand, stdin, or each line of stdin. Prints nothing on success.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let mut publisher = Publisher::new(socket, matches)?;
    match (matches.operand(1), matches.flag("--lines")) {
        (Some(_), true) => return Err(matches.usage_error("--lines reads stdin, so no message may be given")),
        (Some(message), false) => publisher.publish(message.as_bytes())?,
        (None, false) => publisher.publish(&stdin_whole()?)?,
        (None, true) => publisher.publish_lines(io::stdin().lock())?,
    }
    Ok(Exit::Ok)
}

struct Publisher {
    connection: Connection,
    target: String,
    /// Number of seconds to wait for AWS.
    wait: Option<u64>,
    again: bool,
}

impl Publisher {
    fn new(socket: &Path, matches: &Matches) -> Result<Self, Failure> {
        let timeout = matches.value("--timeout");
        let timeout = timeout.map(|word| number("--timeout", word, "seconds")).transpose()?;
        let wait = match (matches.flag("--wait"), timeout) {
            (true, timeout) => Some(timeout.unwrap_or(WAIT)),
            (false, None) => None,
            (false, Some(_)) => return Err(matches.usage_error("--timeout belongs to --wait")),
        };
        let seconds = wait.map(|seconds: u64| seconds.to_string());
        let bytes = |name| matches.value(name).map(OsStrExt::as_bytes);
        let qos = bytes("--qos");
        let target = percent::with_query(
            format!("/topics/{}", percent::encode(matches.required(0).as_bytes())),
            &[
                ("qos", qos),
                ("retain", matches.flag("--retain").then_some(b"true")),
                ("contentType", bytes("--content-type")),
                ("messageExpiry", bytes("--expiry")),
                ("wait", wait.is_some().then_some(b"ack")),
                ("timeout", seconds.as_deref().map(str::as_bytes)),
            ],
        );
        Ok(Self {
            connection: Connection::to(socket),
            target,
            wait,
            // At QoS 0 a message arrives at most once, at QoS 1 at least once.
            again: qos != Some(b"0"),
        })
    }

    fn publish(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let request = Request::post(&self.target, payload).keep_open().again(self.again);
        let patience = DISK.saturating_add(Duration::from_secs(self.wait.unwrap_or(0)));
        let response = self.connection.ask(request, patience)?;
        match response.status {
            200 => Ok(()),
            202 => {
                let seconds = self.wait.unwrap_or(0);
                let message = format!("AWS has not acknowledged the message within {seconds} s");
                Err(Failure::new(Exit::Temporary, message)
                    .with_hint("it is kept and will be sent: do not publish it again"))
            }
            _ => Err(daemon::refusal(&response)),
        }
    }

    /// Publishes line by line, up to the first one that is refused. A line counts once it is answered. Empty lines are skipped, as
    /// mosquitto_pub does.
    fn publish_lines(&mut self, mut input: impl BufRead) -> Result<(), Failure> {
        for count in 1_u64.. {
            let mut line = Vec::new();
            let most = MAX_PAYLOAD + 2;
            input
                .by_ref()
                .take(most)
                .read_until(b'\n', &mut line)
                .map_err(|error| unreadable(&error))?;
            if line.is_empty() {
                break;
            }
            let payload = line.strip_suffix(b"\n").unwrap_or(&line);
            if !payload.is_empty() {
                self.publish(payload)
                    .map_err(|failure| failure.about(format!("line {count}")))?;
            }
        }
        Ok(())
    }
}

fn stdin_whole() -> Result<Vec<u8>, Failure> {
    let mut payload = Vec::new();
    let mut input = io::stdin().lock().take(MAX_PAYLOAD + 1);
    input.read_to_end(&mut payload).map_err(|error| unreadable(&error))?;
    Ok(payload)
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(Exit::Output, format!("cannot read stdin: {error}"))
}
