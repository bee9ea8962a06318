//! A user's shell: bash in one folder, with one set of variables, step by step.
#![allow(
    clippy::panic,
    reason = "a step that goes wrong ends its test, with what was printed"
)]

mod aws_cli;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::command;

/// A user's shell. Its environment contains nothing of the caller's AWS configuration.
pub struct Shell {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// The output and the exit status of a step.
pub struct Printed {
    /// Whether the exit status was 0.
    pub success: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard output and error.
    pub both: String,
}

impl Shell {
    /// Creates a shell in a new folder, with these variables and those of this process.
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
        let path = aws_cli::folder().map(|folder| {
            let path = format!("{}:{}", folder.display(), command::search_path());
            ("PATH", path)
        });
        let variables = own.into_iter().chain(path).chain(variables);
        Ok(Self {
            folder,
            variables: variables.map(|(name, value)| (name.to_owned(), value)).collect(),
        })
    }

    /// Returns the folder in which its steps run.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable for all further steps.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Writes a file in its folder.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Runs a step, whatever its exit status. `answers` is the input that the user types.
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
            // A step that reads no input may have ended already.
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

    /// Runs a step that must succeed, and returns its standard output.
    pub fn step(&self, command: &str) -> String {
        self.answered(command, "")
    }

    /// Runs a step that prompts for input and must succeed.
    pub fn answered(&self, command: &str, answers: &str) -> String {
        let printed = self.try_step(command, answers);
        assert!(printed.success, "$ {command}\n{}", printed.both);
        printed.out
    }

    /// Runs a step that must fail, and returns its whole output.
    pub fn failing(&self, command: &str) -> String {
        let printed = self.try_step(command, "");
        assert!(!printed.success, "$ {command}\nworked: {}", printed.both);
        printed.both
    }

    /// Runs a step that must succeed, and returns its output as JSON.
    pub fn json(&self, command: &str) -> Value {
        let out = self.step(command);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("$ {command}\n{error}: {out}"))
    }

    /// Runs a step that prints JSON, and returns the string at a JSON pointer such as `/registrationCode`.
    pub fn text(&self, command: &str, pointer: &str) -> String {
        let answer = self.json(command);
        let text = answer.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("$ {command}\nno {pointer} in {answer}"))
            .to_owned()
    }
}
