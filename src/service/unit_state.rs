//! What systemd says of the service, for whoever must not start it by asking at its socket.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use super::unit::UNIT;
use crate::foreign_text::clean;
use crate::problem::{Exit, Problem};

const PROPERTIES: &str = "LoadState,ActiveState,SubState,Result,ExecMainStatus,StatusText";

/// The state of gatepost.service.
#[derive(Clone, Debug)]
pub struct UnitState(BTreeMap<String, String>);

impl UnitState {
    /// Asks systemd; `None` where there is no systemd, or no such unit.
    pub fn ask() -> Option<Self> {
        let mut systemctl = Command::new("systemctl");
        systemctl.args(["show", "--property", PROPERTIES, UNIT]);
        let said = systemctl.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        Self::read(&String::from_utf8_lossy(&said.stdout))
    }

    fn read(shown: &str) -> Option<Self> {
        let properties = shown.lines().filter_map(|line| line.split_once('='));
        let state = Self(
            properties
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        );
        (state.get("LoadState") == "loaded").then_some(state)
    }

    fn get(&self, property: &str) -> &str {
        self.0.get(property).map_or("", String::as_str)
    }

    /// Whether systemd starts the service without being asked again.
    pub fn is_about_to_start(&self) -> bool {
        self.get("ActiveState") == "activating"
    }

    /// Why nobody would answer at the socket unless systemd started the service for it; `None` while it runs, or starts.
    pub fn why_not_running(&self) -> Option<(Exit, Problem)> {
        const START: &str = "systemctl start gatepost";
        const MEND: &str = "mend that, then: systemctl restart gatepost.socket gatepost.service";
        let (status, text) = (self.get("ExecMainStatus"), clean(self.get("StatusText")));
        let why = match text.is_empty() {
            true => format!("result {}, exit code {status}", clean(self.get("Result"))),
            false => text,
        };
        match (self.get("ActiveState"), self.get("SubState")) {
            ("inactive", _) => {
                let problem = Problem::configuration("gatepostd is not running: systemd says inactive");
                let step = format!("{START}; after an installation: man gatepostd, First steps");
                Some((Exit::NotRunning, problem.next(step)))
            }
            ("failed", _) => {
                let exit = match status {
                    "77" => Exit::Pin,
                    "64" | "78" => Exit::Configuration,
                    _ => Exit::NotRunning,
                };
                let problem = Problem::configuration(format!("gatepostd is not running: it has failed: {why}"));
                Some((exit, problem.next(MEND)))
            }
            ("activating", "auto-restart") => {
                let problem = Problem::wait(format!("gatepostd is about to be started again: it ended: {why}"));
                Some((Exit::Unavailable, problem.next("journalctl -u gatepost")))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_becomes_an_exit_code_and_words() {
        let state = |active: &str, sub: &str, status: &str, text: &str| {
            UnitState::read(&format!(
                "LoadState=loaded\nActiveState={active}\nSubState={sub}\nResult=exit-code\nExecMainStatus={status}\nStatusText={text}\n"
            ))
            .unwrap()
        };
        for (active, sub, status, text, expected) in [
            ("active", "running", "0", "online as gw-1", None),
            ("reloading", "reload", "0", "", None),
            ("deactivating", "stop-sigterm", "0", "stopping", None),
            ("activating", "start", "0", "", None),
            (
                "activating",
                "auto-restart",
                "71",
                "",
                Some((Exit::Unavailable, "exit code 71")),
            ),
            (
                "inactive",
                "dead",
                "0",
                "stopped",
                Some((Exit::NotRunning, "systemd says inactive")),
            ),
            (
                "failed",
                "failed",
                "77",
                "the token rejected the PIN",
                Some((Exit::Pin, "rejected the PIN")),
            ),
            (
                "failed",
                "failed",
                "78",
                "unknown field",
                Some((Exit::Configuration, "unknown field")),
            ),
            (
                "failed",
                "failed",
                "64",
                "",
                Some((Exit::Configuration, "exit code 64")),
            ),
            (
                "failed",
                "failed",
                "243",
                "cannot load",
                Some((Exit::NotRunning, "cannot load")),
            ),
        ] {
            let why = state(active, sub, status, text).why_not_running();
            match (why, expected) {
                (None, None) => {}
                (Some((exit, problem)), Some((code, words))) => {
                    assert!(exit == code && problem.message.contains(words), "{active}: {problem}");
                    assert!(problem.next_step.is_some(), "{active}");
                }
                (why, _) => panic!("{active} {sub} {status}: {why:?}"),
            }
        }
        assert!(UnitState::read("LoadState=not-found\nActiveState=inactive\n").is_none());
        assert!(UnitState::read("").is_none());
    }
}
