//! Waits for conditions that another process fulfils. Within one process, use a channel.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The first polling interval: short compared with the events (a process, a handshake).
const FIRST_INTERVAL: Duration = Duration::from_millis(10);

/// The longest polling interval. Most tests wait most of the time, many at once, and each check costs a request and its answer.
const LONGEST_INTERVAL: Duration = Duration::from_millis(50);

/// Polls until `condition` holds.
///
/// # Errors
/// After `timeout`, naming `what` was waited for.
pub fn until(timeout: Duration, what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    until_some(timeout, what, || condition().then_some(()))
}

/// Polls until `find` returns a value, and returns it. It polls at least once, and once more at the end.
///
/// # Errors
/// After `timeout`, naming `what` was waited for.
pub fn until_some<T>(timeout: Duration, what: &str, mut find: impl FnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    let mut interval = FIRST_INTERVAL;
    loop {
        let last_look = start.elapsed() >= timeout;
        if let Some(found) = find() {
            return Ok(found);
        }
        if last_look {
            bail!("waited {timeout:?} in vain for: {what}");
        }
        thread::sleep(interval);
        interval = (interval * 5 / 4).min(LONGEST_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_what_was_found() {
        let mut looks = 0;
        let found = until_some(Duration::from_secs(60), "the third look", || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn says_what_it_waited_for() {
        let error = until(Duration::ZERO, "the moon", || false).unwrap_err();
        assert!(error.to_string().contains("the moon"), "{error}");
    }
}
