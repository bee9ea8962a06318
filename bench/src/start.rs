//! A daemon from its start to its first responses.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rig::process::{Process, Signal};

use crate::caller::Caller;

/// Time limit for a start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Polling interval: short compared with a start, long compared with the cost of a check to the machine on which the daemon starts.
const BETWEEN_LOOKS: Duration = Duration::from_micros(200);

/// Starts the daemon and waits until a request for `path` returns 200.
///
/// # Errors
/// If it does not in time, with the daemon's log.
pub fn until_answered(daemon: &mut Command, socket: &Path, path: &str) -> Result<Process> {
    let daemon = Process::spawn(daemon, "gatepost")?;
    first_answer(&daemon, socket, path)?;
    Ok(daemon)
}

/// Returns how long after the start each of `paths` first returned 200. Then stops the daemon.
///
/// # Errors
/// If one of them does not in time, with the daemon's log.
pub fn first_answers(daemon: &mut Command, socket: &Path, paths: &[&str]) -> Result<Vec<Duration>> {
    let started = Instant::now();
    let mut daemon = Process::spawn(daemon, "gatepost")?;
    let first_answer = |path: &&str| first_answer(&daemon, socket, path).map(|()| started.elapsed());
    let times = paths.iter().map(first_answer).collect::<Result<_>>()?;
    stop(&mut daemon)?;
    Ok(times)
}

/// Stops the daemon, and waits until it has ended.
///
/// # Errors
/// If it does not end.
pub fn stop(daemon: &mut Process) -> Result<()> {
    daemon.signal(Signal::TERM)?;
    daemon.wait(PATIENCE)?;
    Ok(())
}

fn first_answer(daemon: &Process, socket: &Path, path: &str) -> Result<()> {
    let started = Instant::now();
    let mut caller = Caller::new(socket, path);
    while let Err(error) = caller.ask() {
        if started.elapsed() > PATIENCE {
            let log = daemon.log();
            return Err(error.context(format!("{path} was not answered within {PATIENCE:?}; the log:\n{log}")));
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}

/// Returns the median of several starts, for each of `paths`.
///
/// # Errors
/// Like [`first_answers`].
pub fn middle_of(runs: usize, daemon: &mut Command, socket: &Path, paths: &[&str]) -> Result<Vec<Duration>> {
    let mut columns = vec![Vec::with_capacity(runs); paths.len()];
    for _ in 0..runs {
        for (column, time) in columns.iter_mut().zip(first_answers(daemon, socket, paths)?) {
            column.push(time);
        }
    }
    let middle = |times| crate::sample::Sample::new(times).map(|sample| sample.median());
    let Some(middles) = columns.into_iter().map(middle).collect() else {
        bail!("no starts to measure")
    };
    Ok(middles)
}

/// Returns the command for a daemon with its arguments, given as words of the command line.
///
/// # Errors
/// If there are no words.
pub fn daemon(words: &[&str]) -> Result<Command> {
    let (program, arguments) = words.split_first().context("which daemon?")?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}
