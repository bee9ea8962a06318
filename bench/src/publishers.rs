//! Programs that publish, one message after the other, several at once.

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rig::unix_http::KeptConnection;

/// A message as a sensor sends it, in bytes.
pub const PAYLOAD: usize = 100;

/// Publishes one message and returns when it is safe.
pub type Publish<'a> = Box<dyn FnMut() -> Result<()> + 'a>;

/// Lets `callers` publish so many messages together, all beginning at once; how long that took. `connect` makes each one's
/// connection beforehand.
///
/// # Errors
/// If a single message is not taken: a figure over failures says nothing.
pub fn run<'a>(
    callers: usize,
    messages: usize,
    connect: impl Fn(usize) -> Result<Publish<'a>> + Sync,
) -> Result<Duration> {
    Ok(run_timed(callers, messages, connect)?.0)
}

/// The same, with the time of each message as its caller saw it.
///
/// # Errors
/// If a single message is not taken.
pub fn run_timed<'a>(
    callers: usize,
    messages: usize,
    connect: impl Fn(usize) -> Result<Publish<'a>> + Sync,
) -> Result<(Duration, Vec<Duration>)> {
    let start = Barrier::new(callers + 1);
    let call = |caller| {
        // Whether it succeeds is looked at after the barrier: the others wait there.
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

/// A program that publishes on `topic` through gatepost's socket, with `query` (`?wait=ack`, or nothing).
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

/// Bytes that a process has had written to disks so far (proc(5), /proc/PID/io).
///
/// # Errors
/// If there is no such process, or it belongs to somebody else.
pub fn written(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/io");
    let io = std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.with_context(|| format!("{path} has no write_bytes"))?.parse()?)
}
