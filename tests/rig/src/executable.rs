//! Creates programs and scripts for a test to run.
//!
//! A separate process writes the file. If this process did, a program that another thread starts at that moment would inherit
//! the open file until its own exec, and running the file would fail with ETXTBSY.

use std::io::{Error, Result, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Copies a program with its mode.
///
/// # Errors
/// If cp(1) cannot be started or fails.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    succeeded(Command::new("cp").arg(from).arg(to).status()?)
}

/// Writes a script that everybody may run.
///
/// # Errors
/// If sh(1) cannot be started, or the file cannot be written.
pub fn write(path: &Path, script: &str) -> Result<()> {
    let mut shell = Command::new("sh")
        .args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = shell.stdin.take() {
        stdin.write_all(script.as_bytes())?;
    }
    succeeded(shell.wait()?)
}

fn succeeded(status: ExitStatus) -> Result<()> {
    match status.success() {
        true => Ok(()),
        false => Err(Error::other(format!("the file could not be made: {status}"))),
    }
}
