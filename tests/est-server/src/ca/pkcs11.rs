//! A CA key in a PKCS#11 token.

use std::fmt;
use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use ring::digest::{SHA256, SHA384, digest};

use super::key_kind::KeyKind;
use crate::error::Error;
use crate::x509::{SEQUENCE, element};

/// A private key in a token.
pub struct Pkcs11Key {
    session: Mutex<Session>,
    key: ObjectHandle,
    uri: String,
}

impl Pkcs11Key {
    /// Opens the key that `uri` names: `pkcs11:token=LABEL;object=LABEL` (RFC 7512). Other attributes are refused.
    ///
    /// # Errors
    /// If the module, the token, the PIN or the key cannot be used.
    pub fn open(module: &Path, uri: &str, pin: &str) -> Result<Self, Error> {
        let (token, object) = labels(uri)?;
        let refused =
            |doing: &'static str| move |error: cryptoki::error::Error| Error::Token(format!("{doing}: {error}"));
        let context = Pkcs11::new(module).map_err(refused("loading the module"))?;
        context
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(refused("initializing the module"))?;
        let slots = context.get_slots_with_token().map_err(refused("listing the tokens"))?;
        let slot = slots
            .into_iter()
            .find(|slot| {
                context
                    .get_token_info(*slot)
                    .is_ok_and(|info| info.label().trim() == token)
            })
            .ok_or_else(|| Error::Token(format!("there is no token with the label {token:?}")))?;
        let session = context.open_ro_session(slot).map_err(refused("opening a session"))?;
        session
            .login(UserType::User, Some(&AuthPin::from(pin)))
            .map_err(refused("logging in"))?;
        let wanted = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(object.clone().into_bytes()),
        ];
        let found = session.find_objects(&wanted).map_err(refused("looking for the key"))?;
        let [key] = found.as_slice() else {
            let count = found.len();
            return Err(Error::Token(format!(
                "{count} private keys with the label {object:?}; there must be one"
            )));
        };
        Ok(Self {
            key: *key,
            session: Mutex::new(session),
            uri: uri.to_owned(),
        })
    }

    /// Signs a message. The hash is computed in software, because not every token supports the combined mechanisms.
    pub(super) fn sign(&self, kind: KeyKind, message: &[u8]) -> Result<Vec<u8>, Error> {
        // DigestInfo of SHA-256 (RFC 8017, 9.2).
        const SHA256_INFO: &[u8] = &[
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
            0x20,
        ];
        let (mechanism, data) = match kind {
            KeyKind::EcP256 => (Mechanism::Ecdsa, digest(&SHA256, message).as_ref().to_vec()),
            KeyKind::EcP384 => (Mechanism::Ecdsa, digest(&SHA384, message).as_ref().to_vec()),
            KeyKind::Rsa => (
                Mechanism::RsaPkcs,
                [SHA256_INFO, digest(&SHA256, message).as_ref()].concat(),
            ),
        };
        let signature = self
            .session
            .lock()
            .sign(&mechanism, self.key, &data)
            .map_err(|error| Error::Token(format!("signing: {error}")))?;
        Ok(match kind {
            KeyKind::Rsa => signature,
            KeyKind::EcP256 | KeyKind::EcP384 => {
                let (r, s) = signature.split_at(signature.len() / 2);
                element(SEQUENCE, &[&integer(r), &integer(s)])
            }
        })
    }
}

impl fmt::Debug for Pkcs11Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Key")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

/// Encodes big-endian bytes as a positive INTEGER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    let needs_zero = digits.first().is_none_or(|first| first & 0x80 != 0);
    let zero: &[u8] = if needs_zero { &[0] } else { &[] };
    element(0x02, &[zero, digits])
}

fn labels(uri: &str) -> Result<(String, String), Error> {
    let wrong = || Error::Token(format!("{uri:?}: a key is named pkcs11:token=LABEL;object=LABEL"));
    let (mut token, mut object) = (None, None);
    for attribute in uri.strip_prefix("pkcs11:").ok_or_else(wrong)?.split(';') {
        let (name, value) = attribute.split_once('=').ok_or_else(wrong)?;
        let value = percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| wrong())?
            .into_owned();
        match name {
            "token" => token = Some(value),
            "object" => object = Some(value),
            _ => return Err(wrong()),
        }
    }
    token.zip(object).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_two_labels_and_nothing_else() {
        let both = |token: &str, object: &str| Some((token.to_owned(), object.to_owned()));
        for (uri, expected) in [
            ("pkcs11:token=ca;object=key", both("ca", "key")),
            ("pkcs11:object=key;token=ca", both("ca", "key")),
            ("pkcs11:token=my%20ca;object=key%3b1", both("my ca", "key;1")),
            ("pkcs11:token=ca", None),
            ("pkcs11:token=ca;object=key;id=%01", None),
            ("pkcs11:token=ca;object=key;pin-value=1234", None),
            ("token=ca;object=key", None),
            ("/etc/ca.key", None),
            ("pkcs11:", None),
            ("pkcs11:token=%ff;object=key", None),
        ] {
            assert_eq!(labels(uri).ok(), expected, "{uri}");
        }
    }

    #[test]
    fn integers_are_minimal_and_positive() {
        for (bytes, expected) in [
            (&[0u8, 0, 1][..], &[2u8, 1, 1][..]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[0, 0x7f], &[2, 1, 0x7f]),
            (&[0, 0], &[2, 1, 0]),
        ] {
            assert_eq!(integer(bytes), expected, "{bytes:?}");
        }
    }
}
