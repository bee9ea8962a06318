//! Runs programs to their end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::sample::Sample;

/// Runs two programs alternately, so that both meet the same conditions. Returns the duration of each run, from before the fork until the
/// exit code was there.
///
/// # Errors
/// If one of them fails once.
pub fn compare(runs: usize, one: &mut Command, other: &mut Command) -> Result<(Sample, Sample)> {
    let mut times = (Vec::with_capacity(runs), Vec::with_capacity(runs));
    for _ in 0..runs {
        times.0.push(time(one)?);
        times.1.push(time(other)?);
    }
    Sample::new(times.0)
        .zip(Sample::new(times.1))
        .context("a comparison of no runs")
}

/// Returns `gatepost --socket SOCKET credentials`, whose output is discarded.
#[must_use]
pub fn credentials(gatepost: &Path, socket: &Path) -> Command {
    let mut command = quiet(gatepost);
    command.arg("--socket").arg(socket).arg("credentials");
    command
}

/// Returns a program whose output is discarded.
#[must_use]
pub fn quiet(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn time(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("{command:?} could not be started"))?;
    let took = started.elapsed();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took)
}
