//! Collects the public keys that may belong to a private key: from public key objects, from certificates in the token, and from
//! the certificate file.
//!
//! Neither CKA_ID nor the label proves anything. They only determine which candidate is tried first.

use std::path::Path;

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use cryptoki::session::Session;

use super::algorithm::KeyAlgorithm;
use super::error::TokenError;
use super::keys::{Object, objects};
use super::public_key::PublicKey;
use crate::pem_file::{self, ReadError};
use crate::problem::Problem;

/// A public key and its source.
pub(super) struct Candidate {
    pub(super) name: String,
    /// The key, or the reason why it cannot be used.
    pub(super) key: Result<PublicKey, TokenError>,
    /// Whether its id or label is that of the private key.
    pub(super) is_likely: bool,
    /// Whether it is from the certificate file, which may be replaced.
    pub(super) is_replaceable: bool,
}

/// Returns the candidates for the public key of `private`, the likeliest first. Each source is read only when it is needed.
pub(super) fn find_candidates<'a>(
    session: &'a Session,
    private: &'a Object,
    certificate: &'a Path,
) -> impl Iterator<Item = Result<Candidate, TokenError>> + 'a {
    let public = lazy(move || read_public_objects(session, private));
    let own = lazy(move || Ok(read_own_public_part(session, private).into_iter().collect()));
    let certificates = lazy(move || read_certificate_objects(session, private));
    let file = lazy(move || {
        let found = read_file(certificate).into_iter();
        Ok(found.map(|candidate| refuse_other_kind(candidate, private)).collect())
    });
    public.chain(own).chain(certificates).chain(file)
}

/// Returns an iterator that calls `read` only when its first item is requested: reading a token is slow.
fn lazy<'a>(
    read: impl FnOnce() -> Result<Vec<Candidate>, TokenError> + 'a,
) -> impl Iterator<Item = Result<Candidate, TokenError>> + 'a {
    std::iter::once_with(read).flat_map(|outcome| match outcome {
        Ok(candidates) => candidates.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    })
}

/// Reads the public key objects of the same kind.
fn read_public_objects(session: &Session, private: &Object) -> Result<Vec<Candidate>, TokenError> {
    let mut all = objects(session, ObjectClass::PUBLIC_KEY)?;
    all.retain(|object| object.kind == private.kind || object.kind.is_none());
    all.sort_by_key(|object| rank(object, private));
    Ok(all
        .iter()
        .map(|object| Candidate {
            name: format!("public key {}", object.name()),
            key: PublicKey::read(session, object.handle),
            is_likely: rank(object, private) < UNRELATED,
            is_replaceable: false,
        })
        .collect())
}

/// Replaces a key that cannot belong to the private key because it is of another kind. Some modules answer a signature by the wrong
/// mechanism as if the device had failed.
fn refuse_other_kind(candidate: Candidate, private: &Object) -> Candidate {
    match &candidate.key {
        Ok(key) if !is_of_kind(key, private.kind) => {
            let problem = Problem::configuration(format!("the {} is for another key", candidate.name));
            Candidate {
                key: Err(TokenError::Absent(problem)),
                ..candidate
            }
        }
        _ => candidate,
    }
}

fn is_of_kind(key: &PublicKey, kind: Option<KeyType>) -> bool {
    match key.algorithm {
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 => kind != Some(KeyType::RSA),
        KeyAlgorithm::Rsa(_) => kind != Some(KeyType::EC),
    }
}

/// Reads the public key from the attributes of the private key object: CKA_PUBLIC_KEY_INFO (PKCS#11 3.0) or the modulus of RSA.
fn read_own_public_part(session: &Session, private: &Object) -> Option<Candidate> {
    let info = session.get_attributes(private.handle, &[AttributeType::PublicKeyInfo]);
    // An object without these attributes is not a candidate, but one with an unusable public key is.
    let key = match info.ok().and_then(|attributes| attributes.into_iter().next()) {
        Some(Attribute::PublicKeyInfo(info)) if !info.is_empty() => PublicKey::from_info(&info),
        _ => PublicKey::read_of_private(session, private.handle).transpose()?,
    };
    Some(Candidate {
        name: "the public part of the private key object".to_owned(),
        key,
        is_likely: true,
        is_replaceable: false,
    })
}

/// Reads the certificates in the token.
fn read_certificate_objects(session: &Session, private: &Object) -> Result<Vec<Candidate>, TokenError> {
    let mut all = objects(session, ObjectClass::CERTIFICATE)?;
    all.sort_by_key(|object| rank(object, private));
    Ok(all
        .iter()
        .filter_map(|object| {
            let attributes = session.get_attributes(object.handle, &[AttributeType::Value]).ok()?;
            let Some(Attribute::Value(der)) = attributes.into_iter().next() else {
                return None;
            };
            let key = PublicKey::from_certificate(&der)?;
            if key.as_ref().is_ok_and(|key| !is_of_kind(key, private.kind)) {
                return None;
            }
            Some(Candidate {
                name: format!("certificate {}", object.name()),
                key,
                is_likely: rank(object, private) < UNRELATED,
                is_replaceable: false,
            })
        })
        .collect())
}

/// Reads the certificates in the file at `path`. A file without certificates is a candidate that cannot be used, and a missing
/// file is not a candidate.
fn read_file(path: &Path) -> Vec<Candidate> {
    let certificates = match pem_file::read(path) {
        Ok(file) => file.certificates,
        Err(ReadError::Missing) => return Vec::new(),
        Err(error) => {
            let problem = Problem::configuration(format!("{} {}", path.display(), error.describe()));
            return vec![Candidate {
                name: path.display().to_string(),
                key: Err(TokenError::Absent(problem.next(error.next_step()))),
                is_likely: false,
                is_replaceable: true,
            }];
        }
    };
    certificates
        .iter()
        .filter_map(|der| {
            Some(Candidate {
                name: format!("certificate in {}", path.display()),
                key: PublicKey::from_certificate(der)?,
                is_likely: false,
                is_replaceable: true,
            })
        })
        .collect()
}

/// Returns whether the file at `path` has a certificate for this key.
pub(super) fn certifies(path: &Path, key: &PublicKey) -> bool {
    let is_for_key = |candidate: &Candidate| candidate.key.as_ref().is_ok_and(|found| found.is_same_key(key));
    read_file(path).iter().any(is_for_key)
}

/// The rank of an object that shares neither its id nor its label with the private key.
const UNRELATED: u8 = 3;

/// Ranks an object: the same id and label come first, then the same id, then the same label.
fn rank(object: &Object, private: &Object) -> u8 {
    let same_id = !object.id.is_empty() && object.id == private.id;
    let same_label = !object.label.is_empty() && object.label == private.label;
    match (same_id, same_label) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) => 2,
        (false, false) => UNRELATED,
    }
}
