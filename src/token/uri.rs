//! Parses `pkcs11:` URIs (RFC 7512) strictly: unknown parts are refused and never ignored.
//!
//! An ignored attribute would make the URI match more keys than intended.

mod attributes;
mod error;

pub use error::UriError;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::names::trim_padding;
use crate::percent;
use attributes::{TEXT_ATTRIBUTES, find_attribute, refuse_attribute_in, refuse_configured_elsewhere};

const SCHEME: &str = "pkcs11:";

/// A checked URI that selects one private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUri {
    text: String,
    attributes: BTreeMap<&'static str, String>,
    id: Option<Vec<u8>>,
    slot_id: Option<u64>,
}

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

    /// Returns the URI of the second key, whose label is this one's with `-2` behind it; `None` if this URI names no label. The id is
    /// left out, because it differs.
    pub fn second_key(&self) -> Option<Self> {
        let path = self.text.strip_prefix(SCHEME)?;
        let parts: Option<Vec<String>> = path
            .split(';')
            .filter(|part| !part.starts_with("id="))
            .map(|part| match part.strip_prefix("object=") {
                Some("") => None,
                Some(_) => Some(format!("{part}-2")),
                None => Some(part.to_owned()),
            })
            .collect();
        let second = format!("{SCHEME}{}", parts?.join(";"));
        self.object().and_then(|_| second.parse().ok())
    }

    /// Returns the first attribute by which this URI cannot match the token that `other` matches.
    pub fn find_other_token(&self, other: &Self) -> Option<&'static str> {
        let differs = |name: &&&str| match (self.text(name), other.text(name)) {
            (Some(one), Some(other)) => trim_padding(one) != trim_padding(other),
            _ => false,
        };
        let mut of_token = TEXT_ATTRIBUTES.iter().filter(|name| **name != "object");
        let of_slot = || match (self.slot_id, other.slot_id) {
            (Some(one), Some(other)) => (one != other).then_some("slot-id"),
            _ => None,
        };
        of_token.find(differs).copied().or_else(of_slot)
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
