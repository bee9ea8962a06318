//! Describes a fault in a TOML file: its line and column, the key and the kind of fault, but never the content.
//!
//! A file may have a misplaced PIN or private key in it, and the errors of `toml` and `serde` quote the faulty text.

use toml::de::Error;

use super::known_keys::{find_range, find_table, is_safe_to_show, suggest};
use super::toml_words::{describe_look_alike, expected_type, found_type, translate};

/// The longest word in the fixed messages of `toml`. A longer word may be quoted from the file.
const LONGEST_WORD: usize = 14;

/// The line of a fault, as far as it consists of known names.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    /// `[name]` or `[[name]]`. An unknown longer name is reduced to its first part.
    Header { name: &'a str, is_list: bool },
    /// `key = value`. A dotted key is reduced to its first part.
    Key(&'a str),
    /// Anything else.
    Other,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Self {
        let line = line.trim();
        let first = |name: &'a str| name.split('.').next().unwrap_or_default().trim();
        if let Some(rest) = line.strip_prefix('[') {
            let is_list = rest.starts_with('[');
            let name = rest.trim_start_matches('[').split(']').next().unwrap_or_default();
            let name = if find_table(name.trim()).is_some() {
                name.trim()
            } else {
                first(name)
            };
            return match find_table(name) {
                Some(_) => Self::Header { name, is_list },
                None => Self::Other,
            };
        }
        match line.split_once('=') {
            Some((key, _)) if is_safe_to_show(first(key)) => Self::Key(first(key)),
            _ => Self::Other,
        }
    }
}

/// Describes a fault as `LINE:COLUMN: KEY: REASON; ADVICE`.
pub(super) fn describe_at(text: &str, error: &Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    let whole_line = text.lines().nth(line - 1).unwrap_or_default();
    let place = Line::parse(whole_line);
    if let Some(message) = describe_wrong_table(&place, error.message()) {
        return format!("{line}:{column}: {message}");
    }
    let (key, advice) = match place {
        // The message about a wrong type names the kind of value but not the key.
        Line::Key(key) => (
            is_wrong_type(error.message()).then(|| format!("{key}: ")),
            advise(key, error.message()),
        ),
        _ => (None, None),
    };
    let advice = advice.map(|advice| format!("; {advice}"));
    let pasted = find_paste_fault(text.get(start..).unwrap_or_default(), whole_line, error.message());
    format!(
        "{line}:{column}: {}{}{}",
        key.unwrap_or_default(),
        pasted.map_or_else(|| describe(error), str::to_owned),
        advice.unwrap_or_default()
    )
}

/// Recognises a character that only looks like the right one, or a missing value; `None` for any other fault.
fn find_paste_fault(at_fault: &str, line: &str, message: &str) -> Option<&'static str> {
    if is_wrong_type(message) || message.starts_with("unknown field") {
        return None;
    }
    let is_about_text = message.starts_with("invalid ") && message.contains(" string");
    let quotes = || line.chars().find(|letter| is_about_text && !letter.is_ascii());
    let letter = at_fault
        .chars()
        .next()
        .filter(|letter| describe_look_alike(*letter).is_some());
    let look_alike = letter.or_else(quotes).and_then(describe_look_alike);
    let (_, value) = line.split_once('=').unwrap_or(("", "x"));
    let value = value.split('#').next().unwrap_or_default().trim();
    look_alike.or_else(|| value.is_empty().then_some("the value is missing"))
}

/// Describes a table that is written as a list of tables, or the reverse; `None` for any other fault.
fn describe_wrong_table(place: &Line, message: &str) -> Option<String> {
    let (name, is_written_as_list) = match place {
        Line::Header { name, is_list } => (*name, Some(*is_list)),
        Line::Key(key) => (*key, None),
        Line::Other => return None,
    };
    let table = find_table(name)?;
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

/// Returns advice on the value of a key that has the wrong type.
fn advise(key: &str, message: &str) -> Option<String> {
    const DURATIONS: [&str; 4] = ["keep-alive", "session-expiry", "report-interval", "outbox-max-age"];
    if let Some(range) = find_range(key) {
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

/// Describes the kind of fault without its place.
pub(super) fn describe(error: &Error) -> String {
    let message = error.message();
    if let Some(rest) = message.strip_prefix("unknown field `") {
        // The unknown name may be a secret, but the expected names are our own keys.
        let (name, expected) = rest.rsplit_once("`, expected ").unwrap_or((rest, "another key"));
        let (name, expected) = match rest.rsplit_once("`, there are no fields") {
            Some((name, _)) => (name, "none"),
            None => (name, expected),
        };
        let keys: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        let suggestion = suggest(name, &keys)
            .map(|suggestion| format!("; {suggestion}"))
            .unwrap_or_default();
        return match is_safe_to_show(name) {
            true => format!("unknown field `{name}`, expected {expected}{suggestion}"),
            false => format!("unknown field, whose name is not shown here, expected {expected}{suggestion}"),
        };
    }
    if is_wrong_type(message) {
        return describe_wrong_type(message);
    }
    match translate(message) {
        Some(words) => words.to_owned(),
        None if is_fixed(message) => message.to_owned(),
        None => "is not valid TOML".to_owned(),
    }
}

fn is_wrong_type(message: &str) -> bool {
    message.starts_with("invalid type: ") || message.starts_with("invalid value: ")
}

/// Removes the value from serde's message about a wrong type ("invalid type: integer `1234`, expected a string").
fn describe_wrong_type(message: &str) -> String {
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

/// Returns whether a message is one of the library's fixed ones ("key with no value, expected `=`"). Those have only words of lower-case
/// letters and some punctuation, and nothing that could be quoted from a file.
fn is_fixed(message: &str) -> bool {
    let is_short = |word: &str| word.len() <= LONGEST_WORD;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || b" ,.:-`=[]{}\"'#\\".contains(&byte);
    message.bytes().all(is_plain) && message.split(' ').all(is_short)
}

#[cfg(test)]
mod tests;
