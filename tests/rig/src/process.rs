//! A program under test: its start, its output line by line, its signals, and its guaranteed end.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::{command, wait};

/// Time limit for reading the last output of a program that has ended. It is used up only if a grandchild holds the output open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A running program and everything it has printed. It is killed when this is dropped, and if that happens in a
/// panic, its log is shown: the reason is usually there.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
}

/// The output of a program so far, both streams in the order in which they were read.
#[derive(Debug, Default)]
struct Output {
    state: Mutex<Printed>,
    changed: Condvar,
    /// The pipes, which may contain output that is not read yet.
    streams: Vec<Arc<OwnedFd>>,
}

#[derive(Debug, Default)]
struct Printed {
    lines: Vec<String>,
    /// The number of streams (stdout, stderr) that have ended.
    ended: usize,
}

impl Process {
    /// Starts `command` with both outputs captured and no input. The error names `package` if the program is missing.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn spawn(command: &mut Command, package: &str) -> Result<Self> {
        let name = command
            .get_program()
            .to_string_lossy()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| command::not_started(command, package, error))?;
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        let streams: Vec<_> = stdout.into_iter().chain(stderr).map(Arc::new).collect();
        let output = Arc::new(Output {
            streams: streams.clone(),
            ..Output::default()
        });
        for stream in streams {
            let output = output.clone();
            thread::spawn(move || output.read(&stream));
        }
        Ok(Self { name, child, output })
    }

    /// Returns the process ID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to this process alone, not to its children.
    ///
    /// # Errors
    /// If it has already ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        // The ID of a child that was not waited for is not reused, so the signal cannot reach another process.
        if let Some(status) = self.child.try_wait()? {
            bail!("{} has already ended with {status}", self.name);
        }
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(Pid::from_raw)
            .context("no process id")?;
        kill_process(pid, signal).with_context(|| format!("{} could not be signalled", self.name))
    }

    /// Waits until the program has ended and returns its exit status. Its log is then complete.
    ///
    /// # Errors
    /// After `timeout`, with the log.
    pub fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        let child = &mut self.child;
        let ended = wait::until_some(timeout, &what, || child.try_wait().transpose());
        let status = ended
            .map_err(|error| self.with_log(&error.to_string()))?
            .context(what)?;
        self.output.wait_for_end(LAST_WORDS);
        Ok(status)
    }

    /// Waits for the first line, from the start of the log, that `wanted` accepts.
    ///
    /// # Errors
    /// After `timeout`, or as soon as the program has closed its output; both with the log.
    pub fn wait_for_line(&self, timeout: Duration, wanted: impl FnMut(&str) -> bool) -> Result<String> {
        self.wait_for_line_after(0, timeout, wanted)
    }

    /// Like [`Process::wait_for_line`], but skips the first `seen` lines. With [`Process::line_count`] from before an event, it
    /// finds the line that follows the event, not an equal one from before.
    ///
    /// # Errors
    /// Like [`Process::wait_for_line`].
    pub fn wait_for_line_after(
        &self,
        seen: usize,
        timeout: Duration,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> Result<String> {
        let deadline = Instant::now() + timeout;
        let mut next = seen;
        let mut printed = self.output.lock();
        loop {
            if let Some(line) = printed.lines.iter().skip(next).find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            next = next.max(printed.lines.len());
            let left = deadline.saturating_duration_since(Instant::now());
            let failure = match (printed.ended, left) {
                (2, _) => "ended before it printed the awaited line".to_owned(),
                (_, Duration::ZERO) => format!("did not print the awaited line within {timeout:?}"),
                _ => {
                    printed = self.output.wait(printed, left);
                    continue;
                }
            };
            drop(printed);
            return Err(self.with_log(&format!("{} {failure}", self.name)));
        }
    }

    /// Returns the number of lines so far.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.output.lock().lines.len()
    }

    /// Returns the output so far. It contains everything that was printed before the call, even on a busy machine.
    #[must_use]
    pub fn log(&self) -> String {
        self.output
            .lock_when_read()
            .lines
            .iter()
            .fold(String::new(), |log, line| log + line + "\n")
    }

    fn with_log(&self, message: &str) -> anyhow::Error {
        anyhow!("{message}; its log:\n{}", self.log())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the program has ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of {} ---\n{}--- end ---", self.name, self.log());
        }
    }
}

impl Output {
    /// Waits until both streams have ended.
    fn wait_for_end(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut printed = self.lock();
        while printed.ended < 2 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            printed = self.wait(printed, left);
        }
    }

    /// Reads one stream to its end. No function waits for this thread, because a grandchild may hold the stream open for longer
    /// than the program lives.
    fn read(&self, stream: &OwnedFd) {
        let mut rest = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let mut readable = [PollFd::new(stream, PollFlags::IN)];
            match poll(&mut readable, None) {
                Err(Errno::INTR) => continue,
                Err(_) => break,
                Ok(_) => {}
            }
            // Done under the lock, so that data that has left the pipe is among the lines before anybody looks at either.
            let mut printed = self.lock();
            match rustix::io::read(stream, &mut buffer) {
                Err(Errno::INTR) => continue,
                Err(_) | Ok(0) => break,
                Ok(count) => rest.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).take(end).collect();
                printed.lines.push(String::from_utf8_lossy(&line).into_owned());
            }
            drop(printed);
            self.changed.notify_all();
        }
        let mut printed = self.lock();
        if !rest.is_empty() {
            printed.lines.push(String::from_utf8_lossy(&rest).into_owned());
        }
        printed.ended += 1;
        drop(printed);
        self.changed.notify_all();
    }

    /// Returns the lines once the pipes are empty. The wait is short, because a program may print without end.
    fn lock_when_read(&self) -> MutexGuard<'_, Printed> {
        let deadline = Instant::now() + LAST_WORDS;
        let mut printed = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let unread = self
                .streams
                .iter()
                .any(|stream| ioctl_fionread(stream).is_ok_and(|bytes| bytes > 0));
            if !unread || left.is_zero() {
                return printed;
            }
            printed = self.wait(printed, left);
        }
    }

    /// Ignores poisoning: a predicate of a test may have panicked with the lock held, and the lines are still consistent.
    fn lock(&self) -> MutexGuard<'_, Printed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, printed: MutexGuard<'a, Printed>, timeout: Duration) -> MutexGuard<'a, Printed> {
        self.changed
            .wait_timeout(printed, timeout)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}
