//! Values that follow a name: `pin=1234`, `"SecretAccessKey": "..."`, `Authorization: Basic ...`, `<password>...</password>`.

use super::names::{Kind, is_in_name, kind};
use super::value::{REMOVED, has_digit, is_harmless, quoted_length};

/// Removes values of secret names from a line.
pub(super) fn remove(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut done = 0;
    while let Some(at) = line.get(done..).and_then(|rest| rest.find(['=', ':', '>'])) {
        let at = done + at;
        let end = at + 1;
        out.push_str(line.get(done..end).unwrap_or_default());
        done = end;
        let (before, sign, after) = (
            line.get(..at).unwrap_or_default(),
            line.get(at..end).unwrap_or_default(),
            line.get(end..).unwrap_or_default(),
        );
        if let Some((blank, length)) = value(before, sign, after) {
            out.push_str(after.get(..blank).unwrap_or_default());
            out.push_str(REMOVED);
            done = end + blank + length;
        }
    }
    out.push_str(line.get(done..).unwrap_or_default());
    out
}

/// Finds the secret after a sign. Returns the length of the white space before it, and its own length.
fn value(before: &str, sign: &str, after: &str) -> Option<(usize, usize)> {
    // systemd.exec(5): SetCredential=ID:VALUE.
    if sign == ":" && (before.contains("SetCredential=") || before.contains("SetCredentialEncrypted=")) {
        return Some((0, after.len())).filter(|(_, length)| *length > 0);
    }
    // "secret::Type" and "token://" are not assignments.
    if after.starts_with("//") || after.starts_with(':') || before.ends_with(':') {
        return None;
    }
    let bare = before.trim_end();
    let unquoted = bare.trim_end_matches(['"', '\'', '\\']);
    let is_quoted = unquoted.len() < bare.len();
    let start = unquoted.rfind(|letter| !is_in_name(letter)).map_or(0, |at| {
        at + unquoted
            .get(at..)
            .and_then(|rest| rest.chars().next())
            .map_or(1, char::len_utf8)
    });
    let (prefix, name) = (unquoted.get(..start)?, unquoted.get(start..)?);
    let kind = kind(name)?;
    if sign == ">" && !prefix.ends_with('<') {
        return None;
    }
    // In a PKCS#11 URI `token` is a label.
    let word = prefix.rsplit([' ', '"', '\'']).next().unwrap_or_default();
    if kind == Kind::Token && word.starts_with("pkcs11:") {
        return None;
    }
    let doubled = match sign {
        "=" => after.len() - after.trim_start_matches(['=', '>']).len(),
        _ => 0,
    };
    let given = after.get(doubled..)?.trim_start();
    let blank = after.len() - given.len();
    let is_first = matches!(prefix.trim(), "" | "export" | "set" | "-") && !is_quoted;
    let context = Context {
        kind,
        is_first,
        is_spaced: sign == "=" && (bare.len() < before.len() || blank > doubled),
        is_quoted,
        enclosing: prefix.chars().next_back().filter(|letter| ['"', '\''].contains(letter)),
    };
    let length = match sign {
        ">" => given.find('<').unwrap_or(given.len()),
        "=" => context.assigned(given),
        _ => context.after_colon(given),
    };
    (length > 0 && !is_harmless(given.get(..length)?)).then_some((blank, length))
}

/// The context of a name.
struct Context {
    kind: Kind,
    /// Whether the name begins the line, as in a file of variables.
    is_first: bool,
    /// Whether white space is around the sign, as in TOML.
    is_spaced: bool,
    is_quoted: bool,
    /// The quote before the name, if the whole assignment is in quotes.
    enclosing: Option<char>,
}

impl Context {
    /// Returns the length of a value after an equals sign.
    fn assigned(&self, value: &str) -> usize {
        if let Some(length) = document_or_quotes(value) {
            return length;
        }
        match (self.enclosing, self.kind) {
            (Some(quote), _) => value.find(quote).unwrap_or(value.len()),
            (None, Kind::Header) => header_length(value),
            _ if self.is_first || self.is_spaced => value.len(),
            _ => {
                let is_end = |letter: char| letter.is_whitespace() || "&;,}\"')]>".contains(letter);
                value.find(is_end).unwrap_or(value.len())
            }
        }
    }

    /// Returns the length of a value after a colon. A colon after a bare word often begins a sentence: "token: waiting".
    fn after_colon(&self, value: &str) -> usize {
        let is_one_word = !value.trim().contains(char::is_whitespace);
        let is_value = match self.kind {
            Kind::Header => true,
            _ if self.is_quoted => true,
            Kind::Password => self.is_first || is_one_word || quoted_length(value).is_some(),
            Kind::Pin | Kind::Token => is_one_word && has_digit(value),
        };
        if !is_value {
            return 0;
        }
        match (document_or_quotes(value), self.kind) {
            (Some(length), _) => length,
            (None, Kind::Header) => header_length(value),
            (None, _) => value.find(['"', '\'', ',', '}']).unwrap_or(value.len()),
        }
    }
}

/// Returns the length of a quoted value; 0 for a document, whose own values are examined one by one.
fn document_or_quotes(value: &str) -> Option<usize> {
    match value.starts_with(['{', '[']) {
        true => Some(0),
        false => quoted_length(value),
    }
}

/// Returns the length of the value of a header field, which extends to a closing quote or the end of the line.
fn header_length(value: &str) -> usize {
    value.find(['"', '\'', '&']).unwrap_or(value.len())
}
