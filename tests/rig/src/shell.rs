//! A user at a prompt: bash in one folder, with one set of variables, a step after the other.
#![allow(
    clippy::panic,
    reason = "a step that goes wrong ends its test, with what was printed"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

/// A shell at a user's prompt. Nothing of the caller's own AWS set-up is in its environment.
pub struct Shell {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// What a step printed, and how it ended.
pub struct Printed {
    /// Whether it ended with 0.
    pub success: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard output and error.
    pub both: String,
}

impl Shell {
    /// A shell in a new folder, with these variables beside those of this process.
    ///
    /// # Errors
    /// If there is no room for the folder.
    pub fn new<const N: usize>(variables: [(&str, String); N]) -> Result<Self> {
        let folder = tempfile::tempdir().context("a folder for the shell")?;
        let home = folder.path().display().to_string();
        let own = [
            ("HOME", home),
            ("AWS_PAGER", String::new()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ];
        let variables = own.into_iter().chain(variables);
        Ok(Self {
            folder,
            variables: variables.map(|(name, value)| (name.to_owned(), value)).collect(),
        })
    }

    /// Where its steps run.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable for the steps to come.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Writes a file in its folder.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// A step, however it ends; `answers` is what the user types.
    pub fn try_step(&self, command: &str, answers: &str) -> Printed {
        let failed = |error| panic!("$ {command}\n{error}");
        let mut child = Command::new("bash")
            .args(["-euo", "pipefail", "-c", command])
            .current_dir(self.path())
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(failed);
        if let Some(mut stdin) = child.stdin.take() {
            // A step that asks nothing may have ended already.
            let _ = stdin.write_all(answers.as_bytes());
        }
        let output = child
            .wait_with_output()
            .unwrap_or_else(|error| panic!("$ {command}\n{error}"));
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        Printed {
            success: output.status.success(),
            both: format!("{out}{}", String::from_utf8_lossy(&output.stderr)),
            out,
        }
    }

    /// A step that works; its standard output.
    pub fn step(&self, command: &str) -> String {
        self.answered(command, "")
    }

    /// A step that asks, and works.
    pub fn answered(&self, command: &str, answers: &str) -> String {
        let printed = self.try_step(command, answers);
        assert!(printed.success, "$ {command}\n{}", printed.both);
        printed.out
    }

    /// A step that fails; all it printed.
    pub fn failing(&self, command: &str) -> String {
        let printed = self.try_step(command, "");
        assert!(!printed.success, "$ {command}\nworked: {}", printed.both);
        printed.both
    }

    /// A step that prints JSON.
    pub fn json(&self, command: &str) -> Value {
        let out = self.step(command);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("$ {command}\n{error}: {out}"))
    }

    /// One text in the JSON that a step prints, such as `/registrationCode`.
    pub fn text(&self, command: &str, pointer: &str) -> String {
        let answer = self.json(command);
        let text = answer.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("$ {command}\nno {pointer} in {answer}"))
            .to_owned()
    }
}
