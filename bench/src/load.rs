//! Several callers at once.

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::caller::Caller;
use crate::sample::Sample;

/// The load that the callers generate.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The number of concurrent callers.
    pub callers: usize,
    /// The number of requests that each of them sends.
    pub requests: usize,
    /// Whether they keep their connection, or make a new one for each request.
    pub keep_alive: bool,
}

impl Load {
    /// Lets the callers ask `socket` for `path`, all beginning at once, and returns how long each answer took.
    ///
    /// # Errors
    /// If a single request is not answered with 200: a figure over failures says nothing.
    pub fn run(self, socket: &Path, path: &str) -> Result<Sample> {
        let start = Barrier::new(self.callers);
        let times = thread::scope(|scope| {
            let callers: Vec<_> = (0..self.callers)
                .map(|_| scope.spawn(|| self.call(socket, path, &start)))
                .collect();
            let times = callers
                .into_iter()
                .map(|caller| caller.join().map_err(|_| anyhow!("a caller panicked"))?);
            times.collect::<Result<Vec<_>>>()
        })?;
        Sample::new(times.concat()).context("a load of no requests")
    }

    fn call(self, socket: &Path, path: &str, start: &Barrier) -> Result<Vec<Duration>> {
        let mut caller = Caller::new(socket, path);
        let mut times = Vec::with_capacity(self.requests);
        // The first request makes the connection that the measured ones keep. Whether it succeeds is looked at
        // after the barrier: the others wait there.
        let warm = caller.ask().map(drop);
        start.wait();
        warm?;
        for _ in 0..self.requests {
            if !self.keep_alive {
                caller.hang_up();
            }
            let asked = Instant::now();
            caller.ask()?;
            times.push(asked.elapsed());
        }
        Ok(times)
    }
}
