//! A caller that sends requests at fixed times, whether or not the previous response was late.
//!
//! A caller that waits for each response would hide stalls: while the server stands still for 600 ms, it counts one slow response among
//! thousands of fast ones (Gil Tene: coordinated omission).

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::caller::Caller;
use crate::sample::Sample;

/// The schedule of a caller.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The number of requests.
    pub requests: u32,
    /// The time between two requests.
    pub interval: Duration,
}

impl Pace {
    /// Requests `path` from `socket`, over one connection, and returns how long after its scheduled time each response arrived.
    ///
    /// # Errors
    /// If a single response is not 200.
    pub fn run(self, socket: &Path, path: &str) -> Result<Sample> {
        let mut caller = Caller::new(socket, path);
        caller.ask()?;
        let start = Instant::now();
        let times = (0..self.requests).map(|request| {
            let due = start + self.interval * request;
            // Waking up late is the machine's fault; sending late because of a late response is the server's.
            let asked = match due.checked_duration_since(Instant::now()) {
                Some(early) => {
                    thread::sleep(early);
                    Instant::now()
                }
                None => due,
            };
            caller.ask()?;
            Ok(asked.elapsed())
        });
        Sample::new(times.collect::<Result<_>>()?).context("no request was measured")
    }
}
