//! A running program, and functions to start one in each language.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rig::command;
use rig::process::Process;
use tempfile::TempDir;

use crate::support::SOON;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// A program whose input is a pipe.
pub struct Program {
    pub process: Process,
    input: File,
    _folder: TempDir,
}

impl Program {
    pub fn start(program: &Command, arguments: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("input");
        command::run(command::command("mkfifo").arg(&pipe), "coreutils").unwrap();
        // Opened for reading and writing: opening it for writing alone would wait for the program.
        let input = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let mut shell = command::command("sh");
        shell.args(["-c", "pipe=$1; shift; exec \"$@\" <\"$pipe\"", "sh"]);
        shell
            .arg(&pipe)
            .arg(program.get_program())
            .args(program.get_args())
            .args(arguments);
        let process = Process::spawn(&mut shell, "dash").unwrap();
        Self {
            process,
            input,
            _folder: folder,
        }
    }

    /// Sends it a line to publish.
    pub fn send(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Waits for a line after the first `seen` ones; returns the number of lines then.
    pub fn wait_for(&self, seen: usize, line: &str) {
        let found = self.process.wait_for_line_after(seen, SOON, |printed| printed == line);
        found.unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

/// Returns the Python with the libraries.
pub fn python(program: &str) -> Command {
    let mut python = Command::new(installed("mqtt-python/bin/python3"));
    python.arg(Path::new(REPOSITORY).join("tests/mqtt_clients/python").join(program));
    python
}

/// Returns a program in JavaScript. Node.js searches for libraries beside the program, so it is copied into the folder of the libraries.
pub fn node(program: &str) -> Command {
    let folder = installed("mqtt-javascript/node_modules");
    let copy = folder.with_file_name(program);
    let text = std::fs::read(
        Path::new(REPOSITORY)
            .join("tests/mqtt_clients/javascript")
            .join(program),
    )
    .unwrap();
    // Tests run concurrently, and none must see half a file.
    let mut file = tempfile::NamedTempFile::new_in(folder.parent().unwrap()).unwrap();
    file.write_all(&text).unwrap();
    file.persist(&copy).unwrap();
    let mut node = Command::new("node");
    node.arg(copy);
    node
}

/// Returns a compiled program; `None` if there was no compiler for its language.
pub fn compiled(path: &str) -> Option<Command> {
    let program = Path::new(REPOSITORY).join("target/programs").join(path);
    program.exists().then(|| Command::new(program))
}

/// Returns the program in Java, with the libraries beside its classes.
pub fn java() -> Option<Command> {
    let folder = Path::new(REPOSITORY).join("target/programs/mqtt-java");
    folder.join("classes").exists().then(|| {
        let mut java = Command::new("java");
        java.arg("-cp")
            .arg(format!("{0}/classes:{0}/lib/*", folder.display()))
            .arg("Client");
        java
    })
}

fn installed(path: &str) -> PathBuf {
    let path = Path::new(REPOSITORY).join("target/programs").join(path);
    assert!(path.exists(), "{} is missing: run `make setup-test`", path.display());
    path
}
