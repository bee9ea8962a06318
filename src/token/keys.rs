//! Finds the private key that the URI selects.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::error::TokenError;
use super::named_key::NamedKey;
use super::names::{list, show_id, show_label, trim_padding};
use super::uri::KeyUri;
use crate::problem::{Exit, Problem};

/// The highest number of keys that a message names.
const NAMED: usize = 5;
/// The highest number of objects that are read, because each costs a call to the module.
const MAX_OBJECTS: usize = 64;

/// A key or certificate object, and its identifying attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) handle: ObjectHandle,
    pub(super) label: Vec<u8>,
    pub(super) id: Vec<u8>,
    pub(super) kind: Option<KeyType>,
    /// Whether each signature requires a login (`CKA_ALWAYS_AUTHENTICATE`).
    pub(super) always_authenticate: bool,
}

impl Object {
    /// Describes the object by label and id, as `token.key` would name it.
    pub(super) fn name(&self) -> String {
        let label = show_label(&self.label);
        match self.id.is_empty() {
            true => format!("{label} without an id"),
            false => format!("{label} id {}", show_id(&self.id)),
        }
    }

    fn matches(&self, uri: &KeyUri) -> bool {
        let label = String::from_utf8_lossy(&self.label);
        uri.object()
            .is_none_or(|wanted| trim_padding(wanted) == trim_padding(&label))
            && uri.id().is_none_or(|wanted| wanted == self.id)
    }

    /// Returns whether the id in `uri` is this object's id in hex digits, a common mistake.
    fn has_id_in_hex(&self, uri: &KeyUri) -> bool {
        let same_label = uri
            .object()
            .is_none_or(|wanted| trim_padding(wanted) == trim_padding(&String::from_utf8_lossy(&self.label)));
        same_label && !self.id.is_empty() && uri.id().and_then(decode_hex).is_some_and(|id| id == self.id)
    }
}

/// Lists objects of one class, up to a limit. Attributes that an object lacks are left empty.
pub(super) fn objects(session: &Session, class: ObjectClass) -> Result<Vec<Object>, TokenError> {
    objects_with(session, class, Vec::new())
}

fn objects_with(session: &Session, class: ObjectClass, more: Vec<Attribute>) -> Result<Vec<Object>, TokenError> {
    let template: Vec<_> = std::iter::once(Attribute::Class(class)).chain(more).collect();
    let handles = session
        .find_objects(&template)
        .map_err(|error| TokenError::from_module("looking for objects", &error))?;
    handles
        .into_iter()
        .take(MAX_OBJECTS)
        .map(|handle| read(session, handle, class))
        .collect()
}

fn read(session: &Session, handle: ObjectHandle, class: ObjectClass) -> Result<Object, TokenError> {
    let mut types = vec![AttributeType::Label, AttributeType::Id];
    if class != ObjectClass::CERTIFICATE {
        types.push(AttributeType::KeyType);
    }
    if class == ObjectClass::PRIVATE_KEY {
        types.push(AttributeType::AlwaysAuthenticate);
    }
    let attributes = match session.get_attributes(handle, &types) {
        // A vendor-specific kind of key cannot be used.
        Err(cryptoki::error::Error::NotSupported | cryptoki::error::Error::InvalidValue) => Vec::new(),
        outcome => outcome.map_err(|error| TokenError::from_module("reading an object", &error))?,
    };
    let mut object = Object {
        handle,
        label: Vec::new(),
        id: Vec::new(),
        kind: None,
        always_authenticate: false,
    };
    for attribute in attributes {
        match attribute {
            Attribute::Label(value) => object.label = value,
            Attribute::Id(value) => object.id = value,
            Attribute::KeyType(value) => object.kind = Some(value),
            Attribute::AlwaysAuthenticate(value) => object.always_authenticate = value,
            _ => {}
        }
    }
    Ok(object)
}

/// The outcome of a search.
pub(super) enum Search {
    /// The one private key that the URI selects.
    Found(Object),
    /// There is no such key; the names of the other keys.
    Missing { others: Vec<String> },
}

/// Finds the private key that the name selects.
pub(super) fn find(session: &Session, name: &NamedKey) -> Result<Search, TokenError> {
    let uri = &name.uri;
    let label = uri.object().map(|label| Attribute::Label(label.as_bytes().to_vec()));
    let id = uri.id().map(|id| Attribute::Id(id.to_vec()));
    let exact = label.into_iter().chain(id).collect();
    let mut matching = objects_with(session, ObjectClass::PRIVATE_KEY, exact)?;
    let mut all = Vec::new();
    if matching.is_empty() {
        // Labels may be padded. If the label was mistyped, the message names the existing keys.
        all = objects(session, ObjectClass::PRIVATE_KEY)?;
        matching = all.iter().filter(|key| key.matches(uri)).cloned().collect();
    }
    match matching.as_slice() {
        [] => {}
        [one] => return Ok(Search::Found(one.clone())),
        several => return Err(ambiguous(name, several)),
    }
    if let Some(key) = all.iter().find(|key| key.has_id_in_hex(uri)) {
        return Err(TokenError::configuration(
            Problem::configuration(format!(
                "{} writes the id in hex digits, which are taken for the id itself; there is a private key {}",
                name.setting,
                key.name()
            ))
            .next(format!("write id={} in {}", show_id(&key.id), name.setting)),
        ));
    }
    all.sort_by(|one, other| one.label.cmp(&other.label));
    Ok(Search::Missing {
        others: all.iter().map(Object::name).collect(),
    })
}

/// Describes the problem of a missing key.
pub(super) fn missing(name: &NamedKey, others: &[String]) -> Problem {
    let there = list_names(others).unwrap_or_else(|| "none".to_owned());
    let uri = &name.uri;
    match name.is_device_key() {
        true => Problem::configuration(format!("no private key matches {uri}; the token has {there}"))
            .next("make the key, correct token.key, or set token.generate to let gatepost make it"),
        false => Problem::configuration(format!(
            "{}: no private key matches {uri}; the token has {there}",
            name.setting
        ))
        .next(format!(
            "correct {}, or have the key made in the token that token.key selects",
            name.setting
        )),
    }
}

/// Returns whether a public key matches the URI, which says nothing about its private key.
pub(super) fn has_public_key_only(session: &Session, uri: &KeyUri) -> Result<bool, TokenError> {
    let all = objects(session, ObjectClass::PUBLIC_KEY)?;
    Ok(all.iter().any(|key| key.matches(uri)))
}

/// Describes the problem of a public key without its private key.
pub(super) fn only_public(name: &NamedKey) -> Problem {
    let NamedKey { setting, uri, .. } = name;
    Problem::configuration(format!(
        "{setting}: the token has only the public key for {uri}, and not the private key"
    ))
    .next(format!(
        "name the private key in {setting}; if it was imported, import it once more with the same label"
    ))
}

/// Lists the names of keys; `None` if there are none.
pub(super) fn list_names(keys: &[String]) -> Option<String> {
    (!keys.is_empty()).then(|| list(keys, NAMED))
}

/// Returns a warning that a key is generated although there are others, because that may be the result of a mistyped label.
pub(super) fn warn_of_others(uri: &KeyUri, others: &[String]) -> Option<String> {
    let others = list_names(others)?;
    Some(format!(
        "no private key matched {uri}, so a new one is made; the token has {others} already: if one of them was meant, correct \
         token.key"
    ))
}

fn ambiguous(name: &NamedKey, keys: &[Object]) -> TokenError {
    let uri = &name.uri;
    let named: Vec<String> = keys
        .iter()
        .take(2)
        .map(|key| format!("object {}", key.name()))
        .collect();
    let message = format!(
        "{} private keys match {uri}, among them {}",
        keys.len(),
        named.join(" and ")
    );
    TokenError::Final(
        Exit::Configuration,
        Problem::configuration(message).next(advise_on_distinction(name.setting, keys)),
    )
}

fn advise_on_distinction(setting: &str, keys: &[Object]) -> String {
    let differ = |name: fn(&Object) -> &[u8]| {
        let mut all: Vec<&[u8]> = keys.iter().map(name).collect();
        all.sort_unstable();
        all.iter().all(|name| !name.is_empty())
            && all.windows(2).all(|pair| matches!(pair, [one, other] if one != other))
    };
    if differ(|key| &key.id) {
        return format!("name one of them in {setting} by its id (id=%01%02...)");
    }
    if differ(|key| &key.label) {
        return format!("name one of them in {setting} by its label (object=...)");
    }
    "nothing tells them apart: give one of them a label or an id of its own (pkcs11-tool --set-id), or delete the one that is \
     not wanted"
        .to_owned()
}

/// Decodes an id as p11tool, pkcs11-tool and openssl print it: `3065`, `0x3065`, `30:65` or `30 65`.
fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text);
    let digits: Vec<u32> = text
        .chars()
        .filter(|letter| !matches!(letter, ':' | ' ' | '-'))
        .map(|letter| letter.to_digit(16))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).ok());
    if rest.is_empty() { bytes.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::named_key::DEVICE_KEY;

    #[test]
    fn ids_as_tools_print_them_are_recognised() {
        for (text, id) in [
            ("3065", Some(vec![0x30, 0x65])),
            ("0x3065", Some(vec![0x30, 0x65])),
            ("30:65", Some(vec![0x30, 0x65])),
            ("30 65", Some(vec![0x30, 0x65])),
            ("0A1b", Some(vec![0x0a, 0x1b])),
            ("01", Some(vec![1])),
            ("", Some(vec![])),
            ("306", None),
            ("30g5", None),
            ("device", None),
            ("\u{ff13}\u{ff10}", None),
        ] {
            assert_eq!(decode_hex(text.as_bytes()), id, "{text}");
        }
        assert_eq!(decode_hex(&[0xff, 0xfe]), None);
    }

    #[test]
    fn the_message_about_a_missing_key_names_the_others() {
        let name = |setting| NamedKey {
            uri: "pkcs11:token=gateway;object=devcie".parse().unwrap(),
            setting,
            certificate: "device.pem".into(),
            certificate_setting: "identity.certificate",
        };
        let (device, other) = (name(DEVICE_KEY), name("a.key"));
        let others: Vec<String> = (1..=7).map(|n| format!("\"key-{n}\" id %0{n}")).collect();
        let message = missing(&device, &others).message;
        assert!(message.contains("\"key-1\" id %01"), "{message}");
        assert!(message.ends_with("\"key-5\" id %05 and 2 more"), "{message}");
        assert!(missing(&device, &[]).message.ends_with("the token has none"));
        let problem = missing(&other, &others).to_string();
        assert!(
            problem.starts_with("a.key: no private key matches") && problem.contains("correct a.key"),
            "{problem}"
        );
        assert_eq!(warn_of_others(&device.uri, &[]), None);
        let warning = warn_of_others(&device.uri, &others).unwrap();
        assert!(
            warning.contains("\"key-1\"") && warning.contains("correct token.key"),
            "{warning}"
        );
    }
}
