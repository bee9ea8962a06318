//! Concurrent programs that publish, each one message after the other.

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rig::unix_http::KeptConnection;

/// Size of a sensor's message in bytes.
pub const PAYLOAD: usize = 100;

/// Publishes a message and returns when it is stored safely.
pub type Publish<'a> = Box<dyn FnMut() -> Result<()> + 'a>;

/// Lets `callers` publish this number of messages together, all starting at once; returns the duration. `connect` opens the connection of
/// each beforehand.
///
/// # Errors
/// If a single message is refused: a figure over failures would be meaningless.
pub fn run<'a>(
    callers: usize,
    messages: usize,
    connect: impl Fn(usize) -> Result<Publish<'a>> + Sync,
) -> Result<Duration> {
    Ok(run_timed(callers, messages, connect)?.0)
}

/// Does the same, and returns the duration of each message as well.
///
/// # Errors
/// If a single message is refused.
pub fn run_timed<'a>(
    callers: usize,
    messages: usize,
    connect: impl Fn(usize) -> Result<Publish<'a>> + Sync,
) -> Result<(Duration, Vec<Duration>)> {
    let start = Barrier::new(callers + 1);
    let call = |caller| {
        // Its success is checked after the barrier, where the others wait.
        let publish = connect(caller);
        start.wait();
        let mut publish = publish?;
        let timed = |_| {
            let began = Instant::now();
            publish()?;
            anyhow::Ok(began.elapsed())
        };
        (0..messages / callers).map(timed).collect::<Result<Vec<_>>>()
    };
    thread::scope(|scope| {
        let call = &call;
        let threads: Vec<_> = (0..callers).map(|caller| scope.spawn(move || call(caller))).collect();
        start.wait();
        let began = Instant::now();
        let mut times = Vec::new();
        for thread in threads {
            times.extend(thread.join().map_err(|_| anyhow!("a caller panicked"))??);
        }
        Ok((began.elapsed(), times))
    })
}

/// Returns a program that publishes on `topic` through gatepost's socket, with `query` (`?wait=ack`, or nothing).
///
/// # Errors
/// If nobody listens.
pub fn to_gatepost(socket: &Path, topic: &str, query: &str) -> Result<Publish<'static>> {
    let payload = "x".repeat(PAYLOAD);
    let request = format!(
        "POST /topics/{topic}{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {PAYLOAD}\r\n\r\n{payload}"
    );
    let mut connection = KeptConnection::open(socket)?;
    Ok(Box::new(move || {
        let answer = connection.ask(request.as_bytes())?;
        ensure!(
            answer.status == 200,
            "not a 200: {}",
            String::from_utf8_lossy(&answer.body)
        );
        Ok(())
    }))
}

/// Returns the bytes that a process has caused to be written to disks so far (proc(5), /proc/PID/io).
///
/// # Errors
/// If there is no such process, or it belongs to somebody else.
pub fn written(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/io");
    let io = std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.with_context(|| format!("{path} has no write_bytes"))?.parse()?)
}
