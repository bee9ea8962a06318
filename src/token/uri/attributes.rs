//! The attributes of a `pkcs11:` URI, and what must not be in one.

use super::error::UriError;
use crate::foreign_text::has_assignment;

/// The path attributes of RFC 7512 section 2.3 whose values are text.
pub(super) const TEXT_ATTRIBUTES: [&str; 10] = [
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

/// Finds the known attribute of this name. An unknown name is not repeated, because it may be a part of an unencoded PIN.
pub(super) fn find_attribute(name: &str) -> Result<&'static str, UriError> {
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
pub(super) fn refuse_configured_elsewhere(name: &str, kind: &str) -> Option<UriError> {
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
pub(super) fn refuse_attribute_in(value: &[u8]) -> Result<(), UriError> {
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
