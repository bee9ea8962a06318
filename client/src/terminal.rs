//! The properties of the terminal at stdout: colours and width.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

/// Width of a terminal of unknown size, and of other outputs.
const USUAL: usize = 80;
/// Range of widths. A narrower layout would help nobody, and longer lines are hard to read.
const SENSIBLE: std::ops::RangeInclusive<usize> = 50..=120;

/// The properties of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terminal {
    pub(crate) colours: bool,
    pub(crate) columns: usize,
}

impl Terminal {
    /// Returns the properties of the terminal at stdout; for a file or a pipe, 80 columns without colours.
    pub(crate) fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::plain();
        }
        Self {
            colours: wants_colours(|name| std::env::var_os(name)),
            columns: columns(std::env::var_os("COLUMNS")).or_else(asked).unwrap_or(USUAL),
        }
    }

    /// Returns 80 columns without colours.
    pub(crate) fn plain() -> Self {
        Self {
            colours: false,
            columns: USUAL,
        }
    }
}

/// Returns whether the environment permits colours: not with NO_COLOR (<https://no-color.org>), nor on a dumb or unknown terminal.
fn wants_colours(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_some_and(|term| term != "dumb")
}

fn columns(text: Option<OsString>) -> Option<usize> {
    let number: usize = text?.to_str()?.trim().parse().ok()?;
    (number > 0).then(|| number.clamp(*SENSIBLE.start(), *SENSIBLE.end()))
}

/// Asks stty(1) of coreutils for the width, because the standard library cannot.
fn asked() -> Option<usize> {
    let terminal = std::io::stdout().as_fd().try_clone_to_owned().ok()?;
    let stty = Command::new("stty")
        .arg("size")
        .stdin(Stdio::from(terminal))
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let size = String::from_utf8(stty.stdout).ok()?;
    columns(size.split_whitespace().nth(1).map(OsString::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_whoever_wants_them() {
        for (no_color, term, wanted) in [
            (None, Some("xterm"), true),
            (Some(""), Some("xterm"), true),
            (Some("1"), Some("xterm"), false),
            (None, Some("dumb"), false),
            (None, Some(""), false),
            (None, None, false),
        ] {
            let variable = |name: &str| match name {
                "NO_COLOR" => no_color.map(OsString::from),
                _ => term.map(OsString::from),
            };
            assert_eq!(wants_colours(variable), wanted, "{no_color:?} {term:?}");
        }
    }

    #[test]
    fn a_width_is_taken_where_it_makes_sense() {
        for (text, width) in [
            (Some("100"), Some(100)),
            (Some(" 100 "), Some(100)),
            (Some("20"), Some(50)),
            (Some("300"), Some(120)),
            (Some("0"), None),
            (Some("-1"), None),
            (Some("wide"), None),
            (Some(""), None),
            (None, None),
        ] {
            assert_eq!(columns(text.map(OsString::from)), width, "{text:?}");
        }
    }
}
