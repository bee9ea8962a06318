//! RFC 7512 `pkcs11:` URIs, read strictly: what is not understood is refused, never ignored.
//!
//! An attribute overlooked in a URI would widen the match to keys that were not meant.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::foreign_text::key_name;
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

/// A checked URI that selects one private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUri {
    text: String,
    attributes: BTreeMap<&'static str, String>,
    id: Option<Vec<u8>>,
    slot_id: Option<u64>,
}

/// Why a text is no usable `pkcs11:` URI. Never repeats a value: one of them might be a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriError(String);

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UriError {}

impl KeyUri {
    /// The value of a text attribute by its RFC 7512 name, decoded; `None` where the URI leaves it open.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }

    /// The key's label (`object`).
    pub fn object(&self) -> Option<&str> {
        self.text("object")
    }

    /// The key's CKA_ID (`id`), decoded: any bytes.
    pub fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// The slot's number (`slot-id`).
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
        let Some(rest) = text.strip_prefix("pkcs11:") else {
            return Err(UriError("does not begin with \"pkcs11:\"".into()));
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        if let Some(query) = query {
            refuse_query(query)?;
        }
        let mut uri = Self {
            text: text.to_owned(),
            attributes: BTreeMap::new(),
            id: None,
            slot_id: None,
        };
        let mut seen: Vec<&str> = Vec::new();
        for part in path.split(';').filter(|_| !path.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return Err(UriError("has an attribute without \"=\"".into()));
            };
            if seen.contains(&name) {
                return Err(UriError(format!("has {} twice", attribute(name))));
            }
            seen.push(name);
            uri.take(name, decode(name, value)?)?;
        }
        Ok(uri)
    }
}

impl KeyUri {
    fn take(&mut self, name: &str, value: Vec<u8>) -> Result<(), UriError> {
        if name == "id" {
            self.id = Some(value);
            return Ok(());
        }
        let text = String::from_utf8(value)
            .map_err(|_| UriError(format!("has {} that is not UTF-8 once decoded", attribute(name))))?;
        match name {
            "type" if text == "private" => {}
            "type" => {
                return Err(UriError(
                    "has a type other than \"private\"; gatepost signs with a private key".into(),
                ));
            }
            "slot-id" => match text.parse() {
                Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => self.slot_id = Some(number),
                _ => return Err(UriError("has a slot-id that is no number".into())),
            },
            _ => match TEXT_ATTRIBUTES.iter().find(|known| **known == name) {
                Some(known) => {
                    self.attributes.insert(known, text);
                }
                None => return Err(UriError(format!("has {}, which is unknown", attribute(name)))),
            },
        }
        Ok(())
    }
}

/// Every query attribute of RFC 7512 has its own configuration key here; two places for one thing would disagree one day.
fn refuse_query(query: &str) -> Result<(), UriError> {
    let name = query.split(['&', '=']).next().unwrap_or_default();
    Err(UriError(match name {
        "pin-value" | "pin-source" => {
            format!("has the query attribute {name}; use token.pin-file or the systemd credential \"pin\"")
        }
        "module-path" | "module-name" => format!("has the query attribute {name}; use token.module"),
        _ => "has a query part, which gatepost does not use".into(),
    }))
}

/// An attribute by its name, unless that may be a part of a secret.
fn attribute(name: &str) -> String {
    key_name(name).map_or_else(
        || "an attribute (its name is not shown here)".to_owned(),
        |name| format!("the attribute {name}"),
    )
}

/// A path attribute's value; characters that RFC 7512 wants encoded are refused.
fn decode(name: &str, value: &str) -> Result<Vec<u8>, UriError> {
    // unreserved (RFC 3986) and pk11-path-res-avail (RFC 7512), and the escapes themselves
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]@!$'()*+,=&%".contains(&byte);
    if !value.bytes().all(legal) {
        return Err(UriError(format!(
            "has a character in {} that must be percent-encoded",
            attribute(name)
        )));
    }
    percent::decode(value).ok_or_else(|| UriError(format!("has a \"%\" without two hex digits in {}", attribute(name))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good_uris() {
        let uri: KeyUri = "pkcs11:token=My%20Token;object=a%3bb%c3%a9;id=%00%ff;type=private;slot-id=17"
            .parse()
            .unwrap();
        assert_eq!(uri.text("token"), Some("My Token"));
        assert_eq!(uri.object(), Some("a;b\u{e9}"));
        assert_eq!(uri.id(), Some(&[0, 255][..]));
        assert_eq!(uri.slot_id(), Some(17));
        let everything: KeyUri = "pkcs11:".parse().unwrap();
        assert_eq!((everything.object(), everything.id()), (None, None));
    }

    #[test]
    fn bad_uris_get_a_reason_and_no_value_is_repeated() {
        let cases = [
            ("object=x", "does not begin"),
            ("PKCS11:object=x", "does not begin"),
            ("pkcs11:object", "without \"=\""),
            ("pkcs11:object=a;", "without \"=\""),
            ("pkcs11:object=a;object=b", "\"object\" twice"),
            ("pkcs11:objct=a", "the attribute \"objct\", which is unknown"),
            ("pkcs11:x-vendor=a", "which is unknown"),
            ("pkcs11:hunter2=a", "its name is not shown"),
            ("pkcs11:object=a%2", "two hex digits"),
            ("pkcs11:object=a%zz", "two hex digits"),
            ("pkcs11:object=a b", "percent-encoded"),
            ("pkcs11:object=a/b", "percent-encoded"),
            ("pkcs11:object=%ff", "not UTF-8"),
            ("pkcs11:type=cert", "other than \"private\""),
            ("pkcs11:slot-id=+1", "no number"),
            ("pkcs11:object=a?pin-value=hunter2", "token.pin-file"),
            ("pkcs11:object=a?pin-source=file:/etc/pin", "token.pin-file"),
            ("pkcs11:object=a?module-path=/lib/x.so", "token.module"),
            ("pkcs11:object=a?", "query part"),
        ];
        for (text, expected) in cases {
            let message = text.parse::<KeyUri>().expect_err(text).to_string();
            assert!(
                message.contains(expected) && !message.contains("hunter2"),
                "{text}: {message}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_label_survives_encoding(label in ".*", id in proptest::collection::vec(any::<u8>(), 0..40)) {
            let encode = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<String>();
            let text = format!("pkcs11:object={};id={}", encode(label.as_bytes()), encode(&id));
            let uri: KeyUri = text.parse().unwrap();
            prop_assert_eq!(uri.object(), Some(label.as_str()));
            prop_assert_eq!(uri.id(), Some(&id[..]));
        }

        #[test]
        fn no_text_is_a_panic(text in "(pkcs11:)?.*") {
            let _ = text.parse::<KeyUri>();
        }
    }
}
