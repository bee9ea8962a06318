//! Finds out whether the daemon is running without using its socket. systemd would start the daemon for a connection, although somebody has
//! stopped it, or although each start uses up an attempt of the PIN.

use std::path::Path;

use crate::command_line::DEFAULT_SOCKET;
use crate::daemon;
use crate::json::{Value, quoted};
use crate::printable::printable;
use crate::unit_state::{NotRunning, UnitState};

/// Returns the document about a daemon that is not running; `None` if it may answer.
pub(super) fn document(socket: &Path) -> Option<(Vec<u8>, Value)> {
    left_behind(socket)
        .or_else(|| by_systemd(socket))
        // After an installation there is no socket yet, so connecting cannot start anything, and its failure names the first steps.
        .filter(|_| socket.exists() || daemon::next_steps(Path::new("/")).is_none())
}

/// Reads the document that the daemon wrote beside its socket when it ended.
pub(super) fn left_behind(socket: &Path) -> Option<(Vec<u8>, Value)> {
    let body = std::fs::read(socket.with_file_name("end.json")).ok()?;
    let document = Value::parse(&body).ok().filter(Value::is_object)?;
    Some((body, document))
}

/// Asks systemd. A daemon that was killed, or was not started since boot, has written no document.
fn by_systemd(socket: &Path) -> Option<(Vec<u8>, Value)> {
    let has_systemd = socket == Path::new(DEFAULT_SOCKET) && Path::new("/run/systemd/system").is_dir();
    let state = has_systemd.then(UnitState::ask).flatten()?;
    let why = state.why_not_running(printable).filter(|why| !why.starts_by_itself)?;
    let body = document_of(&why).into_bytes();
    let document = Value::parse(&body).ok()?;
    Some((body, document))
}

/// Returns the status document about a daemon that is not running.
fn document_of(why: &NotRunning) -> String {
    let id = match why.exit_code {
        77 => "token-pin",
        78 => "daemon-failed",
        _ => "daemon-stopped",
    };
    document_about_daemon(id, why.exit_code, &why.message, Some(why.next_step))
}

/// Returns a status document with one problem, which concerns the daemon as a whole.
pub(super) fn document_about_daemon(id: &str, exit_code: u8, message: &str, next_step: Option<&str>) -> String {
    let (state, remedy) = match exit_code {
        69 | 75 => ("waiting", "wait"),
        _ => ("attention", "configuration"),
    };
    let next = next_step.map(|step| format!("; next: {step}")).unwrap_or_default();
    let summary = quoted(&format!("{message}{next}"));
    let (message, next_step) = (quoted(message), next_step.map_or_else(|| "null".to_owned(), quoted));
    format!(
        r#"{{"state":"{state}","summary":{summary},"working":false,"exit_code":{exit_code},"problems":[{{"id":"{id}","part":"daemon","severity":"{state}","remedy":"{remedy}","message":{message},"next_step":{next_step}}}]}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_systemd_becomes_a_document() {
        for (exit_code, message, id) in [
            (68, "gatepostd is not running: systemd says inactive", "daemon-stopped"),
            (77, "it has failed: the token \"gw\" rejected the PIN", "token-pin"),
            (78, "it has failed: result exit-code, exit code 78", "daemon-failed"),
            (68, "it has failed: result exit-code, exit code 243", "daemon-stopped"),
        ] {
            let document = document_of(&NotRunning {
                exit_code,
                message: message.to_owned(),
                next_step: "mend that",
                starts_by_itself: false,
            });
            let document = Value::parse(document.as_bytes()).unwrap();
            let problem = document.get("problems").items().first().unwrap();
            assert_eq!(document.get("exit_code").whole_number(), Some(exit_code.into()));
            assert_eq!(problem.get("id").text(), Some(id), "{message}");
            assert_eq!(problem.get("message").text(), Some(message));
            let summary = document.get("summary").text().unwrap();
            assert_eq!(summary, format!("{message}; next: mend that"));
        }
    }

    #[test]
    fn the_record_of_the_daemons_end_is_read_beside_its_socket() {
        let folder = std::env::temp_dir().join(format!("gatepost-stopped-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("gatepost.sock");
        for (text, is_there) in [
            ("", false),
            ("[]", false),
            ("{\"ended\":", false),
            ("{\"exit_code\":68}", true),
        ] {
            std::fs::write(folder.join("end.json"), text).unwrap();
            assert_eq!(left_behind(&socket).is_some(), is_there, "{text}");
        }
        std::fs::remove_file(folder.join("end.json")).unwrap();
        assert!(left_behind(&socket).is_none());
        std::fs::remove_dir(&folder).unwrap();
    }
}
