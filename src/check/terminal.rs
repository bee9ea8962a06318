//! Formats the lines of a report for a terminal: with colours, and wrapped between words at its width.
//!
//! For a file, a pipe or a dumb terminal the lines are unchanged.

use std::env;
use std::io::IsTerminal as _;

use super::report::NEXT_STEP;

/// Width of the first column: the outcome, which has at most four letters, and two spaces.
const FIRST_COLUMN: usize = 6;
/// Minimum width of the messages. In a narrower column wrapped text would be unreadable, so lines stay whole.
const MIN_MESSAGE_WIDTH: usize = 24;

/// Colour numbers of the control sequence Select Graphic Rendition.
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const RED: u8 = 31;

/// The capabilities of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    colours: bool,
    /// Number of columns; `None` for lines of any length.
    width: Option<usize>,
}

impl Terminal {
    /// Determines the capabilities of stdout. If it is not a terminal, there are none.
    pub fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            return Self::default();
        }
        let size = rustix::termios::tcgetwinsize(&stdout).ok();
        let width = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        Self {
            colours: wants_colours(
                |name| env::var_os(name).is_some_and(|value| !value.is_empty()),
                env::var("TERM").ok(),
            ),
            width,
        }
    }

    /// Formats lines for this terminal. A block begins after a line with nothing but the mark of a next step, and ends at the first line
    /// that is not indented.
    pub fn format(self, text: &str) -> String {
        // The report pads names to one width, so all messages begin in one column. Only names that are shorter than the longest one are
        // followed by two spaces, which show where the name ends.
        let indent = text.lines().find_map(second_column).unwrap_or_default();
        let mut is_block = false;
        let mut formatted = String::new();
        for line in text.lines() {
            is_block &= line.is_empty() || line.starts_with(' ');
            formatted.push_str(&self.format_line(line, indent, is_block));
            is_block |= line.trim() == NEXT_STEP;
        }
        formatted
    }

    /// Formats a line. The lines of a block are not wrapped, so that they can be copied.
    fn format_line(self, line: &str, indent: usize, is_block: bool) -> String {
        let split = line.char_indices().nth(indent).map_or(line.len(), |(place, _)| place);
        let (head, body) = line.split_at(split);
        let available = self
            .width
            .and_then(|width| width.checked_sub(indent))
            .filter(|width| *width >= MIN_MESSAGE_WIDTH && !is_block);
        let body = match available {
            Some(width) => wrap(body, width).join(&format!("\n{}", " ".repeat(indent))),
            None => body.to_owned(),
        };
        format!("{}{body}\n", self.colour(head))
    }

    /// Colours the outcome, which is the first word.
    fn colour(self, head: &str) -> String {
        let colours = [("ok", GREEN), ("warn", YELLOW), ("FAIL", RED)];
        let found = colours.iter().find(|(word, _)| head.split(' ').next() == Some(word));
        match (self.colours, found) {
            (true, Some((word, colour))) => {
                let rest = head.get(word.len()..).unwrap_or_default();
                format!("\u{1b}[{colour}m{word}\u{1b}[0m{rest}")
            }
            _ => head.to_owned(),
        }
    }
}

/// Returns the column at which the message begins in a line with an outcome and a name. Both are ASCII, so their bytes are columns.
fn second_column(line: &str) -> Option<usize> {
    let name = line
        .get(FIRST_COLUMN..)
        .filter(|name| !line.starts_with(' ') && !name.starts_with(' '))?;
    let gap = name.find("  ")?;
    let message = name.get(gap..)?.trim_start();
    Some(line.chars().count() - message.chars().count())
}

/// Returns whether colours are wanted: not if NO_COLOR is set (<https://no-color.org>), nor on a dumb or unknown terminal.
fn wants_colours(is_set: impl Fn(&str) -> bool, term: Option<String>) -> bool {
    !is_set("NO_COLOR") && term.is_some_and(|name| !name.is_empty() && name != "dumb")
}

/// Wraps a text between words. A word that is too long is not broken, so that it can be copied. Each character counts as one column.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ok    clock  2026-11-30T10:00:00Z\n\
                        FAIL  key    no key matches the pattern that was configured\n             next: make one\n\
                        skip  expiry without a certificate nothing is known\n";
    fn terminal(colours: bool, width: Option<usize>) -> String {
        Terminal { colours, width }.format(TEXT)
    }

    #[test]
    fn without_a_terminal_the_lines_are_unchanged() {
        assert_eq!(terminal(false, None), TEXT);
        assert_eq!(Terminal::default().format(""), "");
        for width in [0, 5, 13, 36] {
            assert_eq!(
                terminal(false, Some(width)),
                TEXT,
                "too narrow to break anything: {width}"
            );
        }
        assert_eq!(terminal(false, Some(200)), TEXT);
    }

    #[test]
    fn lines_are_wrapped_between_words_and_indented() {
        let broken = "ok    clock  2026-11-30T10:00:00Z\n\
                      FAIL  key    no key matches the\n             pattern that was\n             configured\n\
                      \x20            next: make one\n\
                      skip  expiry without a certificate\n             nothing is known\n";
        assert_eq!(terminal(false, Some(37)), broken);
        assert_eq!(
            wrap("arn:aws:iam::123456789012:role/x y", 10),
            ["arn:aws:iam::123456789012:role/x", "y"]
        );
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn the_lines_of_a_block_are_not_wrapped() {
        let terminal = Terminal {
            colours: false,
            width: Some(37),
        };
        let block =
            "             next:\n             publish = [\"a\", \"b\", \"c\"] # a long line\n             subscribe\n";
        let after = "ok    key    no key matches the\n             pattern that was\n             configured\n";
        let text = format!("FAIL  clock  wrong\n{block}ok    key    no key matches the pattern that was configured\n");
        assert_eq!(terminal.format(&text), format!("FAIL  clock  wrong\n{block}{after}"));
    }

    #[test]
    fn outcomes_are_coloured_unless_colours_are_disabled() {
        let text = terminal(true, None);
        for words in [
            "\u{1b}[32mok\u{1b}[0m    clock",
            "\u{1b}[31mFAIL\u{1b}[0m  key",
            "\nskip  expiry",
        ] {
            assert!(text.contains(words), "{text}");
        }
        for (no_colour, name, wanted) in [
            (false, Some("xterm"), true),
            (true, Some("xterm"), false),
            (false, Some("dumb"), false),
            (false, Some(""), false),
            (false, None, false),
        ] {
            assert_eq!(
                wants_colours(|_| no_colour, name.map(str::to_owned)),
                wanted,
                "{name:?}"
            );
        }
    }
}
