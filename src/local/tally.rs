//! How many requests were answered how, since the start.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::answer::Answer;

/// The counts, by door and status code.
#[derive(Debug, Default)]
pub struct Tally(RefCell<BTreeMap<(&'static str, u16), u64>>);

impl Tally {
    /// Counts an answer given at `door`.
    pub fn count(&self, door: &'static str, answer: &Answer) {
        *self.0.borrow_mut().entry((door, answer.status().as_u16())).or_default() += 1;
    }

    /// Door, status code and count.
    pub fn counts(&self) -> Vec<(&'static str, u16, u64)> {
        let counts = self.0.borrow();
        counts
            .iter()
            .map(|((door, status), count)| (*door, *status, *count))
            .collect()
    }
}
