//! Events in order, stored for tests and passed to an observer as they happen.

mod display;
mod event;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::Error;

pub use event::{Event, JitpStep};

/// A function that is called with every event, on the thread where it happens.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// All events so far, shared by the threads.
#[derive(Clone)]
pub(crate) struct Events(Arc<Inner>);

/// Maximum number of events that are stored: more than a test causes, and a limit for a cloudlet that runs for months.
const KEPT: usize = 500_000;

struct Inner {
    events: Mutex<Kept>,
    grown: Condvar,
    observer: Option<Observer>,
}

/// The latest events, numbered from the first one.
#[derive(Default)]
struct Kept {
    latest: VecDeque<Event>,
    /// The number of earlier events that are no longer stored.
    forgotten: usize,
}

impl Kept {
    fn push(&mut self, event: Event, most: usize) {
        if self.latest.len() >= most {
            self.latest.pop_front();
            self.forgotten += 1;
        }
        self.latest.push_back(event);
    }

    /// Returns the number of all events.
    fn count(&self) -> usize {
        self.forgotten + self.latest.len()
    }

    fn since(&self, number: usize) -> impl Iterator<Item = &Event> {
        self.latest.iter().skip(number.saturating_sub(self.forgotten))
    }
}

impl Events {
    pub(crate) fn new(observer: Option<Observer>) -> Self {
        Self(Arc::new(Inner {
            events: Mutex::default(),
            grown: Condvar::new(),
            observer,
        }))
    }

    pub(crate) fn push(&self, event: Event) {
        if let Some(observer) = &self.0.observer {
            observer(&event);
        }
        self.0.events.lock().push(event, KEPT);
        self.0.grown.notify_all();
    }

    pub(crate) fn snapshot(&self) -> Vec<Event> {
        self.0.events.lock().latest.iter().cloned().collect()
    }

    /// Waits for an event at position `from` or later and returns the first match.
    pub(crate) fn wait_for(
        &self,
        from: usize,
        timeout: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Event, Error> {
        let deadline = Instant::now() + timeout;
        let mut events = self.0.events.lock();
        let mut seen = from;
        loop {
            if let Some(event) = events.since(seen).find(|event| wanted(event)) {
                return Ok(event.clone());
            }
            seen = events.count().max(from);
            if self.0.grown.wait_until(&mut events, deadline).timed_out() && events.count() <= seen {
                return Err(Error::TimedOut(timeout));
            }
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.events.lock().latest.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_under_the_numbers_they_had() {
        let event = |what| Event::Broker { what };
        let mut kept = Kept::default();
        for what in ["a", "b", "c", "d", "e"] {
            kept.push(event(what), 3);
        }
        assert_eq!((kept.count(), kept.latest.len()), (5, 3));
        let since = |number| kept.since(number).cloned().collect::<Vec<_>>();
        assert_eq!(since(0), [event("c"), event("d"), event("e")]);
        assert_eq!(since(3), [event("d"), event("e")]);
        assert_eq!(since(5), []);
    }
}
