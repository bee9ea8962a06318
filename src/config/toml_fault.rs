//! Words a fault in a TOML file: its line and column, the key and the kind of fault, and never what stands there.
//!
//! A file may hold a PIN or a private key in the wrong place, and the errors of `toml` and `serde` quote what they stumble over.

use toml::de::Error;

use super::known_keys::{is_harmless, meant, range_of, table_named};
use super::toml_words::{expected_type, found_type, in_our_words, look_alike};

/// The longest word in the fixed messages of `toml`; what is longer may be quoted.
const LONGEST_WORD: usize = 14;

/// The line that a fault is in, as far as it consists of names that the configuration has.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    /// `[name]` or `[[name]]`; of a longer name its first part.
    Header { name: &'a str, is_list: bool },
    /// `key = value`; of a dotted key its first part.
    Key(&'a str),
    /// Anything else.
    Other,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Self {
        let line = line.trim();
        let first = |name: &'a str| name.split('.').next().unwrap_or_default().trim();
        if let Some(rest) = line.strip_prefix('[') {
            let is_list = rest.starts_with('[');
            let name = rest.trim_start_matches('[').split(']').next().unwrap_or_default();
            let name = if table_named(name.trim()).is_some() {
                name.trim()
            } else {
                first(name)
            };
            return match table_named(name) {
                Some(_) => Self::Header { name, is_list },
                None => Self::Other,
            };
        }
        match line.split_once('=') {
            Some((key, _)) if is_harmless(first(key)) => Self::Key(first(key)),
            _ => Self::Other,
        }
    }
}

/// The fault as `LINE:COLUMN: KEY: REASON; ADVICE`.
pub(super) fn with_place(text: &str, error: &Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    let whole_line = text.lines().nth(line - 1).unwrap_or_default();
    let place = Line::of(whole_line);
    if let Some(said) = wrong_table(&place, error.message()) {
        return format!("{line}:{column}: {said}");
    }
    let (key, advice) = match place {
        // A wrong type says what kind of value it is, and not whose.
        Line::Key(key) => (
            is_wrong_type(error.message()).then(|| format!("{key}: ")),
            advice(key, error.message()),
        ),
        _ => (None, None),
    };
    let advice = advice.map(|advice| format!("; {advice}"));
    let pasted = pasted(text.get(start..).unwrap_or_default(), whole_line, error.message());
    format!(
        "{line}:{column}: {}{}{}",
        key.unwrap_or_default(),
        pasted.map_or_else(|| reason(error), str::to_owned),
        advice.unwrap_or_default()
    )
}

/// The character at the fault that only looks right, or the missing value; `None` where it is something else.
fn pasted(at_fault: &str, line: &str, message: &str) -> Option<&'static str> {
    if is_wrong_type(message) || message.starts_with("unknown field") {
        return None;
    }
    let is_about_text = message.starts_with("invalid ") && message.contains(" string");
    let quotes = || line.chars().find(|letter| is_about_text && !letter.is_ascii());
    let letter = at_fault.chars().next().filter(|letter| look_alike(*letter).is_some());
    let look_alike = letter.or_else(quotes).and_then(look_alike);
    let (_, value) = line.split_once('=').unwrap_or(("", "x"));
    let value = value.split('#').next().unwrap_or_default().trim();
    look_alike.or_else(|| value.is_empty().then_some("the value is missing"))
}

/// One table where there may be several, or several where there is one.
fn wrong_table(place: &Line, message: &str) -> Option<String> {
    let (name, is_written_as_list) = match place {
        Line::Header { name, is_list } => (*name, Some(*is_list)),
        Line::Key(key) => (*key, None),
        Line::Other => return None,
    };
    let table = table_named(name)?;
    let is_about_kind = is_wrong_type(message) || message.starts_with("duplicate key");
    match (table.is_list, is_written_as_list) {
        _ if !is_about_kind => None,
        (true, Some(true)) => None,
        (true, _) => Some(format!(
            "there may be several tables {name}, without names: write [[{name}]]"
        )),
        (false, Some(true)) => Some(format!("there is one table {name}: write [{name}]")),
        (false, Some(false)) if message.starts_with("duplicate key") => {
            Some(format!("the table [{name}] is there already: put both parts into one"))
        }
        (false, _) => None,
    }
}

/// Advice on the value of a key, where it has another type.
fn advice(key: &str, message: &str) -> Option<String> {
    const DURATIONS: [&str; 4] = ["keep-alive", "session-expiry", "report-interval", "outbox-max-age"];
    if let Some(range) = range_of(key) {
        return Some(format!("it takes {range}"));
    }
    let (_, expected) = message.rsplit_once(", expected ").filter(|_| is_wrong_type(message))?;
    match expected {
        "a sequence" => Some(format!("write a list: {key} = [\"...\"]")),
        "a string" if DURATIONS.contains(&key) => Some(format!("write it with its unit: {key} = \"60s\"")),
        "a string" => Some(format!("write it in quotation marks: {key} = \"...\"")),
        "a boolean" => Some("write true or false, without quotation marks".to_owned()),
        _ if key == "subject" => Some("write subject = { common-name = \"...\" }".to_owned()),
        _ => None,
    }
}

/// The kind of fault alone.
pub(super) fn reason(error: &Error) -> String {
    let message = error.message();
    if let Some(rest) = message.strip_prefix("unknown field `") {
        // The name may have anything in it; what was expected are our own keys.
        let (name, expected) = rest.rsplit_once("`, expected ").unwrap_or((rest, "another key"));
        let (name, expected) = match rest.rsplit_once("`, there are no fields") {
            Some((name, _)) => (name, "none"),
            None => (name, expected),
        };
        let keys: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let meant = meant(name, &keys).map(|meant| format!("; {meant}")).unwrap_or_default();
        return match is_harmless(name) {
            true => format!("unknown field `{name}`, expected {expected}{meant}"),
            false => format!("unknown field, whose name is not shown here, expected {expected}{meant}"),
        };
    }
    if is_wrong_type(message) {
        return wrong_type(message);
    }
    match in_our_words(message) {
        Some(words) => words.to_owned(),
        None if is_fixed(message) => message.to_owned(),
        None => "is no TOML".to_owned(),
    }
}

fn is_wrong_type(message: &str) -> bool {
    message.starts_with("invalid type: ") || message.starts_with("invalid value: ")
}

/// The message of serde about a wrong type ("invalid type: integer `1234`, expected a string") without the value.
fn wrong_type(message: &str) -> String {
    let (_, found) = message.split_once(": ").unwrap_or_default();
    let kind: String = found
        .chars()
        .take_while(|letter| letter.is_ascii_lowercase() || *letter == ' ')
        .collect();
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    let expected = expected.and_then(expected_type).unwrap_or("another type");
    match (kind.trim(), expected) {
        ("integer", "a whole number") => "the number is out of range".to_owned(),
        (kind, expected) => format!("invalid type: {}, expected {expected}", found_type(kind)),
    }
}

/// Whether a message is one of the library's fixed ones ("key with no value, expected `=`"): words of lower-case letters and a
/// few signs, and nothing that could be a part of a file.
fn is_fixed(message: &str) -> bool {
    let is_short = |word: &str| word.len() <= LONGEST_WORD;
    let of_words = |byte: u8| byte.is_ascii_lowercase() || b" ,.:-`=[]{}\"'#\\".contains(&byte);
    message.bytes().all(of_words) && message.split(' ').all(is_short)
}

#[cfg(test)]
mod tests;
