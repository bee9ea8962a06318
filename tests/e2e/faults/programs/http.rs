//! A program that publishes over HTTP, one message after the other.

use std::path::Path;
use std::thread;

use rig::unix_http::KeptConnection;

use super::log::{Answer, Log, PAUSE};

/// For AWS's acknowledgement, where a program waits for it: answered 202 after that.
const WAIT: &str = "?wait=ack&timeout=2";

/// Publishes until it is over; `waits` for AWS's acknowledgement of each message.
pub(super) fn run(log: &mut Log, socket: &Path, waits: bool) {
    let mut kept = None;
    while !log.is_over() {
        if !log.may_publish() {
            continue;
        }
        let draft = log.draft();
        let query = if waits { WAIT } else { "" };
        let (topic, payload, length) = (&draft.topic, &draft.payload, draft.payload.len());
        let request = format!(
            "POST /topics/{topic}{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{payload}"
        );
        let answer = match ask(&mut kept, socket, request.as_bytes()) {
            Some(200 | 202) => Answer::Accepted,
            Some(status) => Answer::Refused(status),
            None => Answer::None,
        };
        log.report(&draft, &answer);
        if !matches!(answer, Answer::Accepted) {
            thread::sleep(PAUSE);
        }
    }
}

/// The status of the answer, if there is one.
fn ask(kept: &mut Option<KeptConnection>, socket: &Path, request: &[u8]) -> Option<u16> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => KeptConnection::open(socket).ok()?,
    };
    let status = connection.ask(request).ok()?.status;
    *kept = Some(connection);
    Some(status)
}
