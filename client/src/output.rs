//! Writes to stdout and stderr.

use std::io::{ErrorKind, Write};

use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::printable::printable;

/// Writes all of the text to stdout, or returns the error.
pub(crate) fn print(text: &[u8]) -> Result<Exit, Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Exit::Ok),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::silent(Exit::Output)),
        Err(error) => Err(Failure::new(Exit::Output, format!("cannot write to stdout: {error}"))),
    }
}

/// Prints a note on stderr. A closed stderr changes nothing.
pub(crate) fn note(text: &str) {
    let _ = std::io::stderr().write_all(format!("gatepost: {}\n", printable(text)).as_bytes());
}

/// Formats documents as JSON, a line each.
pub(crate) fn json_lines(documents: &[Value]) -> Vec<u8> {
    let lines = documents.iter().map(|document| document.json() + "\n");
    lines.collect::<String>().into_bytes()
}

/// Wraps text at `width` characters, between words. A longer word stays whole, so that it can be copied.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("a bc def  ghij", 6), ["a bc", "def", "ghij"]);
        assert_eq!(wrap("arn:aws:iam::123 x", 6), ["arn:aws:iam::123", "x"]);
        assert_eq!(wrap("  ", 6), Vec::<String>::new());
    }
}
