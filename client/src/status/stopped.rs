//! Whether the daemon does not run, found out without the socket: systemd would start it for whoever connects there, although
//! somebody has stopped it, or although each start costs the token a try of its PIN.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::command_line::DEFAULT_SOCKET;
use crate::daemon;
use crate::json::{Value, quoted};

const UNIT: &str = "gatepost.service";

/// The document about a daemon that does not run; `None` where one may answer.
pub(super) fn document(socket: &Path) -> Option<(Vec<u8>, Value)> {
    left_behind(socket)
        .or_else(|| by_systemd(socket))
        // After an installation the failure to connect names the first steps, and no socket is there to start anything.
        .filter(|_| socket.exists() || daemon::next_steps(Path::new("/")).is_none())
}

/// What the daemon has left behind at its end, beside its socket.
pub(super) fn left_behind(socket: &Path) -> Option<(Vec<u8>, Value)> {
    let body = std::fs::read(socket.with_file_name("end.json")).ok()?;
    let document = Value::parse(&body).ok().filter(Value::is_object)?;
    Some((body, document))
}

/// A daemon that was never started since the machine was booted, or was killed, has left nothing behind.
fn by_systemd(socket: &Path) -> Option<(Vec<u8>, Value)> {
    let has_systemd = socket == Path::new(DEFAULT_SOCKET) && Path::new("/run/systemd/system").is_dir();
    let mut systemctl = Command::new("systemctl");
    systemctl.args([
        "show",
        "--property",
        "LoadState,ActiveState,ExecMainStatus,StatusText",
        UNIT,
    ]);
    systemctl.stdin(Stdio::null()).stderr(Stdio::null());
    let said = has_systemd.then(|| systemctl.output().ok()).flatten()?;
    let body = told(&String::from_utf8_lossy(&said.stdout))?.into_bytes();
    let document = Value::parse(&body).ok()?;
    Some((body, document))
}

/// The document that says what systemd says.
fn told(shown: &str) -> Option<String> {
    let property = |name: &str| {
        let mut values = shown.lines().filter_map(|line| line.split_once('='));
        values.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    };
    let (status, text) = (property("ExecMainStatus"), property("StatusText"));
    let (code, why, step) = match (property("LoadState"), property("ActiveState")) {
        ("loaded", "inactive") => (
            68,
            "gatepostd is not running: systemd says inactive".to_owned(),
            "systemctl start gatepost",
        ),
        ("loaded", "failed") => (
            match status {
                "77" => 77,
                "64" | "78" => 78,
                _ => 68,
            },
            match text {
                "" => format!("gatepostd is not running: it has failed with exit code {status}"),
                text => format!("gatepostd is not running: it has failed: {text}"),
            },
            "mend that, then: systemctl restart gatepost.socket gatepost.service",
        ),
        _ => return None,
    };
    let id = match code {
        77 => "token-pin",
        78 => "daemon-failed",
        _ => "daemon-stopped",
    };
    let (summary, why, step) = (quoted(&format!("{why}; next: {step}")), quoted(&why), quoted(step));
    Some(format!(
        r#"{{"state":"attention","summary":{summary},"working":false,"exit_code":{code},"problems":[{{"id":"{id}","part":"daemon","severity":"attention","remedy":"configuration","message":{why},"next_step":{step}}}]}}"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_becomes_a_document() {
        for (shown, expected) in [
            (
                "LoadState=loaded\nActiveState=active\nExecMainStatus=0\nStatusText=online\n",
                None,
            ),
            (
                "LoadState=loaded\nActiveState=activating\nExecMainStatus=71\nStatusText=\n",
                None,
            ),
            ("LoadState=not-found\nActiveState=inactive\n", None),
            ("", None),
            (
                "LoadState=loaded\nActiveState=inactive\nExecMainStatus=0\n",
                Some((68, "daemon-stopped", "inactive")),
            ),
            (
                "LoadState=loaded\nActiveState=failed\nExecMainStatus=77\nStatusText=the token \"gw\" rejected the PIN\n",
                Some((77, "token-pin", "the token \"gw\" rejected the PIN")),
            ),
            (
                "LoadState=loaded\nActiveState=failed\nExecMainStatus=78\nStatusText=\u{1b}[2J\n",
                Some((78, "daemon-failed", "it has failed")),
            ),
            (
                "LoadState=loaded\nActiveState=failed\nExecMainStatus=243\n",
                Some((68, "daemon-stopped", "exit code 243")),
            ),
        ] {
            let document = told(shown).map(|text| Value::parse(text.as_bytes()).unwrap());
            let Some((code, id, words)) = expected else {
                assert!(document.is_none(), "{shown}");
                continue;
            };
            let document = document.unwrap();
            let problem = document.get("problems").items().first().unwrap();
            assert_eq!(document.get("exit_code").whole_number(), Some(code), "{shown}");
            assert_eq!(problem.get("id").text(), Some(id), "{shown}");
            assert!(document.get("summary").text().unwrap().contains(words), "{shown}");
        }
    }

    #[test]
    fn what_the_daemon_has_left_behind_is_read_beside_its_socket() {
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
