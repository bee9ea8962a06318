//! Removes possible secrets from text that leaves the machine, line by line: the last line of defence of a support bundle.
//!
//! gatepost's own output contains no secrets. Redaction is for text from elsewhere: a configuration, a journal in which a password was
//! logged, an error of another program.

mod addresses;
mod assignments;
mod names;
mod options;
mod phrases;
mod runs;
mod value;

pub use value::REMOVED;

/// Removes secrets from the lines of a text. A PEM block is removed as a whole.
#[derive(Debug, Default)]
pub struct Redaction {
    is_in_block: bool,
}

impl Redaction {
    /// Returns the lines of a text without possible secrets.
    pub fn of(text: &str) -> String {
        let mut redaction = Self::default();
        let lines = text.lines().filter_map(|line| redaction.line(line));
        lines.map(|line| line + "\n").collect()
    }

    /// Returns the next line; `None` if it is inside a PEM block.
    fn line(&mut self, line: &str) -> Option<String> {
        let (begins, ends) = (line.contains("-----BEGIN"), line.contains("-----END"));
        let was_in_block = self.is_in_block;
        self.is_in_block = (was_in_block || begins) && !ends;
        match (was_in_block, begins || ends) {
            (true, _) => None,
            (false, true) => Some(format!("{REMOVED} (a PEM block)")),
            (false, false) => Some(redact(line)),
        }
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
