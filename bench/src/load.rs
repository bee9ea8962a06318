//! Several concurrent callers.

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
    /// The number of requests per caller.
    pub requests: usize,
    /// Whether they keep their connections, or open a new one for each request.
    pub keep_alive: bool,
}

impl Load {
    /// Lets the callers request `path` from `socket`, all starting at once, and returns the duration of each request.
    ///
    /// # Errors
    /// If a single response is not 200: a figure over failures would be meaningless.
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
        // The first request opens the connection that the measured ones keep. Its success is checked after the barrier, where the others
        // wait.
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
