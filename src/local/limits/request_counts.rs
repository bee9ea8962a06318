//! Counts requests by listener and status code since the start.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// The number of requests by listener and status code.
#[derive(Debug, Default)]
pub struct RequestCounts(RefCell<BTreeMap<(&'static str, u16), u64>>);

impl RequestCounts {
    /// Counts a request that was answered with `status` on `listener`.
    pub fn count(&self, listener: &'static str, status: u16) {
        *self.0.borrow_mut().entry((listener, status)).or_default() += 1;
    }

    /// Returns each listener, status code and number.
    pub fn counts(&self) -> Vec<(&'static str, u16, u64)> {
        let counts = self.0.borrow();
        counts
            .iter()
            .map(|((listener, status), count)| (*listener, *status, *count))
            .collect()
    }
}
