//! The layout of the status screen: a column of titles, details beside it, and problems below.

use crate::instant::{Instant, duration};
use crate::json::Value;
use crate::output::wrap;
use crate::printable::printable;
use crate::terminal::Terminal;

const TITLE_WIDTH: usize = 14;

/// ANSI SGR colours.
#[derive(Clone, Copy)]
pub(super) enum Colour {
    Green = 32,
    Yellow = 33,
    Red = 31,
}

/// The screen, as far as it has been drawn.
pub(super) struct Screen {
    text: String,
    now: Option<Instant>,
    terminal: Terminal,
}

impl Screen {
    pub(super) fn new(now: Option<Instant>, terminal: Terminal) -> Self {
        Self {
            text: String::new(),
            now,
            terminal,
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// Adds a line over the whole width.
    pub(super) fn headline(&mut self, text: &str, colour: Colour) {
        let line = self.coloured(&printable(text), colour);
        self.text.push_str(&line);
        self.text.push('\n');
    }

    /// Adds a paragraph over the whole width.
    pub(super) fn paragraph(&mut self, text: &str) {
        for line in wrap(&printable(text), self.terminal.columns) {
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Adds a part of the daemon: its phase, since when, its details if there are any, and its problem.
    pub(super) fn part(&mut self, title: &str, prefix: &str, part: &Value, details: &[Option<String>]) {
        self.phase(title, prefix, part);
        self.details(details);
        self.problem(part.get("problem"));
    }

    /// Adds the phase of a part, and since when it is in that.
    pub(super) fn phase(&mut self, title: &str, prefix: &str, part: &Value) {
        let phase = part
            .get("phase")
            .text()
            .map_or_else(|| "unknown".to_owned(), |phase| phase.replace('-', " "));
        let mut first = format!("{prefix}{phase}");
        if let Some(lasting) = self.lasting(part.get("since")) {
            first.push_str(&format!(", {lasting}"));
        }
        self.lines(title, &first, None);
    }

    /// Adds details, if there are any.
    pub(super) fn details(&mut self, details: &[Option<String>]) {
        let details: Vec<&str> = details.iter().flatten().map(String::as_str).collect();
        self.lines("", &details.join(", "), None);
    }

    pub(super) fn problem(&mut self, problem: &Value) {
        let Some(message) = problem.get("message").text() else {
            return;
        };
        if problem.get("remedy").text() == Some("none") {
            // This is expected, and shown as such so that nobody worries.
            self.lines("", message, None);
            return;
        }
        let (colour, otherwise) = match problem.get("remedy").text() {
            Some("wait") => (Colour::Yellow, Some("wait; this resolves itself")),
            Some("configuration") => (Colour::Red, Some("correct the configuration (/etc/gatepost)")),
            Some("factory") => (Colour::Red, Some("this needs somebody at the device: check its token")),
            _ => (Colour::Red, None),
        };
        self.fault(message, problem.get("next_step").text().or(otherwise), colour);
    }

    /// Adds what is wrong, and what to do.
    pub(super) fn fault(&mut self, message: &str, step: Option<&str>, colour: Colour) {
        self.lines("", &format!("problem: {message}"), Some(colour));
        if let Some(step) = step {
            self.lines("", &format!("next: {step}"), Some(colour));
        }
    }

    fn lines(&mut self, title: &str, text: &str, colour: Option<Colour>) {
        let mut title = title;
        for line in wrap(&printable(text), self.terminal.columns - TITLE_WIDTH) {
            let line = colour.map_or_else(|| line.clone(), |colour| self.coloured(&line, colour));
            self.text.push_str(&format!("{title:TITLE_WIDTH$}{line}\n"));
            title = "";
        }
    }

    fn coloured(&self, text: &str, colour: Colour) -> String {
        if self.terminal.colours {
            format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8)
        } else {
            text.to_owned()
        }
    }

    /// Returns "for 3 h", if the document says since when.
    fn lasting(&self, since: &Value) -> Option<String> {
        let since = since.text()?;
        Some(match (Instant::parse(since), self.now) {
            (Some(since), Some(now)) => since.lasting_until(now),
            _ => format!("since {since}"),
        })
    }

    /// Returns "`what` in 42 min", if the document contains that time; the original text if it cannot be parsed.
    pub(super) fn at(&self, what: &str, time: &Value) -> Option<String> {
        let time = time.text()?;
        Some(match (Instant::parse(time), self.now) {
            (Some(time), Some(now)) => format!("{what} {}", time.seen_from(now)),
            _ => format!("{what} {time}"),
        })
    }

    /// Returns the end of a validity: "expires in 42 min" or "expired 3 h ago".
    pub(super) fn expiry(&self, time: &Value) -> Option<String> {
        let over = Instant::parse(time.text()?)
            .zip(self.now)
            .is_some_and(|(end, now)| end <= now);
        self.at(if over { "expired" } else { "expires" }, time)
    }

    /// Does the same for a time of AWS's clock. This machine's clock is `skew` seconds ahead of it.
    pub(super) fn expiry_by_aws(&self, time: &Value, skew: i64) -> Option<String> {
        let end = time.text().and_then(Instant::parse);
        let Some((end, now)) = end.zip(self.now).filter(|_| skew != 0) else {
            return self.expiry(time);
        };
        let end = end.moved_by(skew);
        let verb = if end <= now { "expired" } else { "expires" };
        Some(format!("{verb} {}", end.seen_from(now)))
    }
}

/// Returns "`what` 60 min", if the document contains that duration.
pub(super) fn length(what: &str, seconds: &Value) -> Option<String> {
    Some(format!("{what} {}", duration(seconds.whole_number()?)))
}

/// Returns "`what` `value`", if the document contains that value.
pub(super) fn named(what: &str, value: &Value) -> Option<String> {
    Some(format!("{what} {}", value.text()?))
}
