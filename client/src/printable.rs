//! Text from elsewhere, made fit for a terminal.

/// Text from elsewhere, made fit for a terminal: AWS's words and file names may carry line ends and escape sequences.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        // The bidirectional overrides of Unicode (UAX #9) reorder what stands around them.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.trim().chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_steers_the_terminal() {
        for (given, shown) in [
            ("plain, ünïcode", "plain, ünïcode"),
            ("two\r\nlines\n", "two  lines"),
            ("\u{1b}[2Jgone", "\u{fffd}[2Jgone"),
            ("c1 \u{9b}31m", "c1 \u{fffd}31m"),
            ("abc\u{202e}fed", "abc\u{fffd}fed"),
        ] {
            assert_eq!(printable(given), shown);
        }
    }
}
