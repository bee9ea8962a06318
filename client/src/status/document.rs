//! The status document: the daemon's own, or a substitute if the daemon does not answer.

use std::path::Path;

use super::stopped;
use crate::daemon;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::printable::printable_json;

/// Returns the exit code in a document; for an older daemon, the one for its state.
pub(crate) fn exit(document: &Value) -> Exit {
    match (document.get("exit_code").whole_number(), document.get("state").text()) {
        (Some(0), _) | (None, Some("ready")) => Exit::Ok,
        (Some(68), _) => Exit::NotRunning,
        // The token has rejected the PIN.
        (Some(77), _) => Exit::NotAllowed,
        (Some(78), _) | (None, Some("attention")) => Exit::Attention,
        // "waiting", or a state of a newer daemon. In either case the gateway is not known to be ready.
        _ => Exit::Unavailable,
    }
}

/// Returns the daemon's document, or one that says why the daemon is not running. Does not start the daemon.
pub(crate) fn look(socket: &Path) -> Result<(Vec<u8>, Value), Failure> {
    match stopped::document(socket) {
        Some(told) => Ok(told),
        None => ask(socket).map_err(Failure::about_the_daemon),
    }
}

/// Does the same as [`look`] for a caller that polls: systemd is not queried each time.
pub(crate) fn look_again(socket: &Path) -> Result<(Vec<u8>, Value), Failure> {
    match stopped::left_behind(socket) {
        Some(told) => Ok(told),
        None => ask(socket).map_err(Failure::about_the_daemon),
    }
}

/// Returns the daemon's document, unchanged and parsed.
pub(crate) fn ask(socket: &Path) -> Result<(Vec<u8>, Value), Failure> {
    let body = daemon::get(socket, "/v1/status")?;
    let document = Value::parse(&body).map_err(daemon::not_gatepost)?;
    match document.is_object() {
        true => Ok((body, document)),
        false => Err(daemon::not_gatepost("no JSON object")),
    }
}

/// Returns a substitute for the document that the daemon did not return.
pub(super) fn of_failure(failure: &Failure) -> String {
    let exit = failure.exit();
    let id = match exit {
        Exit::NotRunning => "daemon-stopped",
        _ => "daemon-unreachable",
    };
    stopped::document_about_daemon(id, exit as u8, failure.message(), failure.hint())
}

/// Returns the document as a line.
pub(super) fn line(body: &[u8]) -> Vec<u8> {
    let line_end: &[u8] = if body.ends_with(b"\n") { b"" } else { b"\n" };
    printable_json(&[body, line_end].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_becomes_a_document() {
        for (failure, exit_code, id, state) in [
            (
                Failure::no_daemon("nobody \"listens\"").about_the_daemon(),
                68,
                "daemon-stopped",
                "attention",
            ),
            (
                Failure::new(Exit::Temporary, "no answer"),
                75,
                "daemon-unreachable",
                "waiting",
            ),
            (
                Failure::new(Exit::Unavailable, "no answer"),
                69,
                "daemon-unreachable",
                "waiting",
            ),
            (
                Failure::new(Exit::NotAllowed, "may not open"),
                77,
                "daemon-unreachable",
                "attention",
            ),
            (
                Failure::new(Exit::Protocol, "not gatepost"),
                76,
                "daemon-unreachable",
                "attention",
            ),
        ] {
            let message = failure.message().to_owned();
            let document = Value::parse(of_failure(&failure.with_hint("look\nthere")).as_bytes()).unwrap();
            let problem = document.get("problems").items().first().unwrap();
            assert_eq!(document.get("exit_code").whole_number(), Some(exit_code), "{message}");
            assert_eq!(document.get("state").text(), Some(state), "{message}");
            assert_eq!(document.get("working").flag(), Some(false));
            assert_eq!(problem.get("id").text(), Some(id));
            assert_eq!(problem.get("message").text(), Some(message.as_str()));
            assert_eq!(problem.get("next_step").text(), Some("look\nthere"));
        }
        let without_hint = Value::parse(of_failure(&Failure::new(Exit::Temporary, "x")).as_bytes()).unwrap();
        let problem = without_hint.get("problems").items().first().unwrap();
        assert_eq!(problem.get("next_step"), &Value::Null);
        assert_eq!(without_hint.get("summary").text(), Some("x"));
    }
}
