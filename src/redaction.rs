//! Removes possible secrets from text that leaves the machine, line by line: the last line of defence of a support bundle.
//!
//! gatepost's own output contains no secrets. Redaction is for text from elsewhere: a configuration, a journal in which a password was
//! logged, an error of another program.

mod addresses;
mod assignments;
mod names;
mod options;
mod pem_block;
mod phrases;
mod runs;
mod value;

use pem_block::{Marks, OpenBlock};
pub use value::REMOVED;

/// Removes secrets from the lines of a text. A PEM block is removed as a whole.
#[derive(Debug, Default)]
pub struct Redaction {
    block: Option<OpenBlock>,
}

impl Redaction {
    /// Returns the lines of `text` without possible secrets.
    pub fn remove_secrets(text: &str) -> String {
        let mut redaction = Self::default();
        let lines = text.lines().filter_map(|line| redaction.line(line));
        lines.map(|line| line + "\n").collect()
    }

    /// Returns the next line; `None` if it is inside a PEM block.
    fn line(&mut self, line: &str) -> Option<String> {
        let block = self.block.take();
        let Some(marks) = Marks::find(line) else {
            self.block = block.filter(|block| block.may_contain(line));
            return self.block.is_none().then(|| redact(line));
        };
        self.block = marks.open_block();
        block.is_none().then(|| format!("{REMOVED} (a PEM block)"))
    }
}

fn redact(line: &str) -> String {
    let line = addresses::remove(line);
    let line = options::remove(&line);
    let line = assignments::remove(&line);
    let line = phrases::remove(&line);
    runs::remove(&line)
}

#[cfg(test)]
mod tests;
