//! `gatepost publish`: a message to AWS, through the daemon's session and its outbox.

use std::ffi::OsString;
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::daemon::{self, Conversation, DISK};
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::percent;
use crate::words::number;

/// AWS IoT's largest payload. One byte more is read and handed over, so that the refusal is the daemon's.
const MAX_PAYLOAD: u64 = 128 * 1024;
/// Seconds to wait for AWS's acknowledgement, unless somebody says otherwise.
const WAIT: u64 = 30;

/// What the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) topic: OsString,
    pub(crate) message: Option<OsString>,
    pub(crate) qos: Option<OsString>,
    pub(crate) retain: bool,
    pub(crate) wait: bool,
    /// Seconds.
    pub(crate) timeout: Option<OsString>,
    pub(crate) content_type: Option<OsString>,
    /// Seconds.
    pub(crate) expiry: Option<OsString>,
    pub(crate) lines: bool,
}

/// Publishes the argument, stdin, or each line of stdin. It is quiet where all went well.
pub(crate) fn run(socket: &Path, wanted: &Wanted) -> Result<Exit, Failure> {
    let mut publisher = Publisher::new(socket, wanted)?;
    match (&wanted.message, wanted.lines) {
        (Some(_), true) => return Err(usage("--lines reads stdin, so no message may be given")),
        (Some(message), false) => publisher.publish(message.as_bytes())?,
        (None, false) => publisher.publish(&stdin_whole()?)?,
        (None, true) => publisher.publish_lines(io::stdin().lock())?,
    }
    Ok(Exit::Ok)
}

struct Publisher {
    conversation: Conversation,
    target: String,
    /// Seconds to wait for AWS.
    wait: Option<u64>,
    again: bool,
}

impl Publisher {
    fn new(socket: &Path, wanted: &Wanted) -> Result<Self, Failure> {
        let timeout = wanted.timeout.as_deref();
        let timeout = timeout.map(|word| number("--timeout", word, "seconds")).transpose()?;
        let wait = match (wanted.wait, timeout) {
            (true, timeout) => Some(timeout.unwrap_or(WAIT)),
            (false, None) => None,
            (false, Some(_)) => return Err(usage("--timeout belongs to --wait")),
        };
        let seconds = wait.map(|seconds: u64| seconds.to_string());
        let bytes = |word: &'_ Option<OsString>| word.as_deref().map(|word| word.as_bytes().to_vec());
        let (qos, content_type, expiry) = (bytes(&wanted.qos), bytes(&wanted.content_type), bytes(&wanted.expiry));
        let target = percent::with_query(
            format!("/topics/{}", percent::encode(wanted.topic.as_bytes())),
            &[
                ("qos", qos.as_deref()),
                ("retain", wanted.retain.then_some(b"true")),
                ("contentType", content_type.as_deref()),
                ("messageExpiry", expiry.as_deref()),
                ("wait", wanted.wait.then_some(b"ack")),
                ("timeout", seconds.as_deref().map(str::as_bytes)),
            ],
        );
        Ok(Self {
            conversation: Conversation::with(socket),
            target,
            wait,
            // At quality of service 0 a message comes at most once, at 1 at least once.
            again: qos.as_deref() != Some(b"0"),
        })
    }

    fn publish(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let request = Request::post(&self.target, payload).keep_open().again(self.again);
        let patience = DISK.saturating_add(Duration::from_secs(self.wait.unwrap_or(0)));
        let response = self.conversation.ask(request, patience)?;
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

    /// Each line counts once it is answered, and the first one that is refused is the last. Empty lines are left out, as
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

fn usage(message: &str) -> Failure {
    Failure::new(Exit::Usage, format!("{message}; see gatepost publish --help"))
}
