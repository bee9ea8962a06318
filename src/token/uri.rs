//! Parses `pkcs11:` URIs (RFC 7512) strictly: unknown parts are refused and never ignored.
//!
//! An ignored attribute would make the URI match more keys than intended.

mod relations;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::foreign_text::has_assignment;
use crate::percent;

/// The path attributes of RFC 7512 section 2.3 whose values are text.
const TEXT_ATTRIBUTES: [&str; 10] = [
    "token",
    "manufacturer",
    "serial",
    "model",
    "object",
    "slot-manufacturer",
    "slot-description",
    "library-manufacturer",
    "library-description",
    "library-version",
];

const SCHEME: &str = "pkcs11:";

/// A checked URI that selects one private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUri {
    text: String,
    attributes: BTreeMap<&'static str, String>,
    id: Option<Vec<u8>>,
    slot_id: Option<u64>,
}

/// The reason why a text is not a usable `pkcs11:` URI. It never repeats a value, which might be a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriError(String);

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UriError {}

impl KeyUri {
    /// Returns the decoded value of a text attribute by its RFC 7512 name; `None` if the URI does not have it.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }

    /// Returns the key's label (`object`).
    pub fn object(&self) -> Option<&str> {
        self.text("object")
    }

    /// Returns the key's decoded CKA_ID (`id`), which may be any bytes.
    pub fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// Returns the slot's number (`slot-id`).
    pub fn slot_id(&self) -> Option<u64> {
        self.slot_id
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for KeyUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let rest = strip_scheme(text)?;
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        if let Some(query) = query {
            return Err(refuse_query(query));
        }
        let mut uri = Self {
            text: format!("{SCHEME}{rest}"),
            attributes: BTreeMap::new(),
            id: None,
            slot_id: None,
        };
        let mut seen: Vec<&'static str> = Vec::new();
        for part in path.split(';').filter(|_| !path.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return Err(UriError("has an attribute without \"=\"".into()));
            };
            let name = find_attribute(name)?;
            if seen.contains(&name) {
                return Err(UriError(format!("has the attribute \"{name}\" twice")));
            }
            seen.push(name);
            uri.set(name, decode(name, value)?)?;
        }
        Ok(uri)
    }
}

impl KeyUri {
    fn set(&mut self, name: &'static str, value: Vec<u8>) -> Result<(), UriError> {
        refuse_attribute_in(&value)?;
        if name == "id" {
            self.id = Some(value);
            return Ok(());
        }
        let text = String::from_utf8(value)
            .map_err(|_| UriError(format!("has a \"{name}\" that is not UTF-8 once decoded")))?;
        match name {
            "type" if text == "private" => {}
            "type" => {
                return Err(UriError(
                    "has a type other than \"private\"; gatepost signs with a private key".into(),
                ));
            }
            "slot-id" => match text.parse() {
                Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => self.slot_id = Some(number),
                _ => return Err(UriError("has a slot-id that is not a number".into())),
            },
            _ => {
                self.attributes.insert(name, text);
            }
        }
        Ok(())
    }
}

/// Removes the scheme, whose case does not matter (RFC 3986 section 3.1), and refuses text that was pasted around the URI.
fn strip_scheme(text: &str) -> Result<&str, UriError> {
    let is_quote = |letter: char| matches!(letter, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}');
    let has_scheme = |text: &str| {
        let scheme = text.get(..SCHEME.len());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
    };
    let inner =
        text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}' || is_quote(letter));
    let reason = if !has_scheme(inner) {
        "does not begin with \"pkcs11:\""
    } else if text.contains('\u{feff}') {
        "has a byte order mark, which is invisible, in it; type it again"
    } else if text.trim() != text {
        "has a blank or a line break before or after it; take it out"
    } else if inner.len() < text.len() || text.ends_with(|letter| is_quote(letter) && letter != '\'') {
        "has quotes of its own within those of the file; take them out"
    } else {
        return Ok(text.get(SCHEME.len()..).unwrap_or_default());
    };
    Err(UriError(reason.into()))
}

/// Finds the known attribute of this name. An unknown name is not repeated, because it may be a part of an unencoded PIN.
fn find_attribute(name: &str) -> Result<&'static str, UriError> {
    const OTHERS: [&str; 3] = ["id", "type", "slot-id"];
    let all = || OTHERS.iter().chain(&TEXT_ATTRIBUTES).copied();
    if let Some(known) = all().find(|known| *known == name) {
        return Ok(known);
    }
    if let Some(error) = refuse_configured_elsewhere(name, "attribute") {
        return Err(error);
    }
    let lower = name.trim().to_ascii_lowercase();
    let meant = match lower.as_str() {
        "label" | "key" | "name" | "alias" => Some("object"),
        "slot" | "slotid" => Some("slot-id"),
        "serial-number" | "serialnumber" => Some("serial"),
        "object-type" | "class" => Some("type"),
        _ => all().find(|known| is_near(&lower, known)),
    };
    Err(UriError(match meant {
        Some(meant) => format!("has an unknown attribute; did you mean \"{meant}\"?"),
        None => format!(
            "has an unknown attribute; known are {}",
            all().collect::<Vec<_>>().join(", ")
        ),
    }))
}

/// Returns whether `text` differs from `word` by a single letter that is wrong, missing, added, or swapped with its neighbour.
fn is_near(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let same = text.iter().zip(word).take_while(|(one, other)| one == other).count();
    let rest = |of: &'_ [u8], from: usize| of.get(from..).unwrap_or_default().to_vec();
    let (left, right) = (rest(text, same), rest(word, same));
    let swapped = match (left.as_slice(), right.as_slice()) {
        ([a, b, left @ ..], [c, d, right @ ..]) => a == d && b == c && left == right,
        _ => false,
    };
    word.len() > 2
        && (swapped || rest(&left, 1) == rest(&right, 1) || rest(&left, 1) == right || left == rest(&right, 1))
}

/// Refuses an attribute with a PIN or a module, which have their own keys in the configuration.
fn refuse_configured_elsewhere(name: &str, kind: &str) -> Option<UriError> {
    let name = ["pin-value", "pin-source", "module-path", "module-name"]
        .into_iter()
        .find(|known| name.trim().eq_ignore_ascii_case(known))?;
    let instead = match name {
        "pin-value" | "pin-source" => "token.pin-file or the systemd credential \"pin\"",
        _ => "token.module",
    };
    Some(UriError(format!("has the {kind} {name}; use {instead}")))
}

/// Refuses a value that contains another attribute, after a separator other than ";" or "?". A PIN in it would become a part of
/// the key's label and be shown.
fn refuse_attribute_in(value: &[u8]) -> Result<(), UriError> {
    let text: String = String::from_utf8_lossy(value)
        .chars()
        .filter(|letter| !matches!(letter, '-' | '_' | ' '))
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let is_separated = |place: usize| {
        let before = text.get(..place).and_then(|before| before.chars().next_back());
        before.is_some_and(|letter| !letter.is_alphanumeric())
    };
    let has_pin = || {
        text.match_indices("pin")
            .any(|(place, _)| is_separated(place) && matches!(text.as_bytes().get(place + 3), Some(b'=' | b':')))
    };
    let name = [
        ("pinvalue", "pin-value"),
        ("pinsource", "pin-source"),
        ("modulepath", "module-path"),
        ("modulename", "module-name"),
    ]
    .into_iter()
    .find(|(word, _)| text.contains(word))
    .map(|(_, name)| name)
    .or_else(|| has_pin().then_some("pin-value"));
    if let Some(error) = name.and_then(|name| refuse_configured_elsewhere(name, "attribute")) {
        return Err(error);
    }
    if has_assignment(&String::from_utf8_lossy(value)) {
        return Err(UriError(
            "has what looks like a PIN or a password within a value; use token.pin-file or the systemd credential \"pin\" for the \
             PIN"
                .into(),
        ));
    }
    Ok(())
}

fn refuse_query(query: &str) -> UriError {
    query
        .split('&')
        .filter_map(|part| part.split('=').next())
        .find_map(|name| refuse_configured_elsewhere(name, "query attribute"))
        .unwrap_or_else(|| UriError("has a query part, which gatepost does not use".into()))
}

/// Decodes the value of a path attribute, and refuses characters that RFC 7512 requires to be encoded.
fn decode(name: &'static str, value: &str) -> Result<Vec<u8>, UriError> {
    // unreserved (RFC 3986) and pk11-path-res-avail (RFC 7512), and the escapes themselves
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]@!$'()*+,=&%".contains(&byte);
    if !value.bytes().all(legal) {
        return Err(UriError(format!(
            "has a character in \"{name}\" that must be percent-encoded"
        )));
    }
    percent::decode(value).ok_or_else(|| UriError(format!("has a \"%\" without two hex digits in \"{name}\"")))
}

#[cfg(test)]
mod tests;
