//! The state of gatepost.service according to systemd, for callers that must not start it by connecting to its socket.

use std::process::{Command, Stdio};

const UNIT: &str = "gatepost.service";
const PROPERTIES: &str = "LoadState,ActiveState,SubState,Result,ExecMainStatus,StatusText";
const START: &str = "systemctl start gatepost; after an installation: man gatepostd, First steps";
const MEND: &str = "fix that, then: systemctl restart gatepost.socket gatepost.service";

/// The properties of gatepost.service.
#[derive(Clone, Debug)]
pub struct UnitState(String);

/// The reason why the daemon is not running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRunning {
    /// The exit code of `gatepost status`: 68, 69, 77 or 78.
    pub exit_code: u8,
    /// The cause.
    pub message: String,
    /// The command to run next.
    pub next_step: &'static str,
    /// Whether systemd starts the service again by itself.
    pub starts_by_itself: bool,
}

impl UnitState {
    /// Queries systemd; `None` if there is no systemd, or no such unit.
    pub fn ask() -> Option<Self> {
        let mut systemctl = Command::new("systemctl");
        systemctl.args(["show", "--property", PROPERTIES, UNIT]);
        let said = systemctl.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        Self::read(&String::from_utf8_lossy(&said.stdout))
    }

    fn read(shown: &str) -> Option<Self> {
        let state = Self(shown.to_owned());
        (state.get("LoadState") == "loaded").then_some(state)
    }

    fn get(&self, property: &str) -> &str {
        let mut properties = self.0.lines().filter_map(|line| line.split_once('='));
        properties
            .find(|(name, _)| *name == property)
            .map_or("", |(_, value)| value)
    }

    /// Returns whether systemd starts the service again by itself.
    pub fn is_about_to_start(&self) -> bool {
        self.get("ActiveState") == "activating"
    }

    /// Returns why nobody would answer at the socket unless systemd started the service; `None` while it is running or starting. `clean`
    /// makes the service's own text safe to show.
    pub fn why_not_running(&self, clean: impl Fn(&str) -> String) -> Option<NotRunning> {
        let (status, text) = (self.get("ExecMainStatus"), clean(self.get("StatusText")));
        let why = match text.is_empty() {
            true => format!("result {}, exit code {}", clean(self.get("Result")), clean(status)),
            false => text,
        };
        let not_running = |exit_code, message, next_step| NotRunning {
            exit_code,
            message,
            next_step,
            starts_by_itself: false,
        };
        match (self.get("ActiveState"), self.get("SubState")) {
            ("inactive", _) => Some(not_running(
                68,
                "gatepostd is not running: systemd says inactive".to_owned(),
                START,
            )),
            ("failed", _) => {
                let exit_code = match status {
                    "77" => 77,
                    "64" | "78" => 78,
                    _ => 68,
                };
                let message = format!("gatepostd is not running: it has failed: {why}");
                Some(not_running(exit_code, message, MEND))
            }
            ("activating", "auto-restart") => Some(NotRunning {
                exit_code: 69,
                message: format!("systemd is about to restart gatepostd, which ended: {why}"),
                next_step: "journalctl -u gatepost",
                starts_by_itself: true,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printable::printable;

    #[test]
    fn the_answer_of_systemd_becomes_an_exit_code_and_a_message() {
        for (active, sub, status, text, expected) in [
            ("active", "running", "0", "online as gw-1", None),
            ("reloading", "reload", "0", "", None),
            ("deactivating", "stop-sigterm", "0", "stopping", None),
            ("activating", "start", "0", "", None),
            ("activating", "auto-restart", "71", "", Some((69, "exit code 71"))),
            ("inactive", "dead", "0", "stopped", Some((68, "systemd says inactive"))),
            (
                "failed",
                "failed",
                "77",
                "the token \"gw\" rejected the PIN",
                Some((77, "the token \"gw\" rejected the PIN")),
            ),
            ("failed", "failed", "78", "unknown field", Some((78, "unknown field"))),
            ("failed", "failed", "78", "\u{1b}[2J", Some((78, "it has failed"))),
            ("failed", "failed", "64", "", Some((78, "exit code 64"))),
            ("failed", "failed", "243", "", Some((68, "exit code 243"))),
            ("failed", "failed", "243", "cannot load", Some((68, "cannot load"))),
        ] {
            let state = UnitState::read(&format!(
                "LoadState=loaded\nActiveState={active}\nSubState={sub}\nResult=exit-code\nExecMainStatus={status}\nStatusText={text}\n"
            ))
            .unwrap();
            let why = state.why_not_running(printable);
            assert_eq!(state.is_about_to_start(), active == "activating");
            match (why, expected) {
                (None, None) => {}
                (Some(why), Some((code, words))) => {
                    assert!(
                        why.exit_code == code && why.message.contains(words) && !why.message.contains('\u{1b}'),
                        "{active}: {why:?}"
                    );
                    assert!(!why.next_step.is_empty(), "{active}");
                    assert_eq!(why.starts_by_itself, code == 69, "{active}");
                }
                (why, _) => panic!("{active} {sub} {status}: {why:?}"),
            }
        }
        assert!(UnitState::read("LoadState=not-found\nActiveState=inactive\n").is_none());
        assert!(UnitState::read("").is_none());
    }
}
