//! Public keys that may belong to a private key: objects of the token, its certificates, the certificate file.
//!
//! Neither CKA_ID nor the label proves anything; they only say which one to try first.

use std::path::Path;

use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::Session;

use super::error::TokenError;
use super::keys::{Object, objects};
use super::public_key::PublicKey;
use crate::pem_file::{self, ReadError};
use crate::problem::Problem;

/// A public key, and where it is from.
pub(super) struct Candidate {
    pub(super) name: String,
    /// The key, or why it cannot be used.
    pub(super) key: Result<PublicKey, TokenError>,
    /// Whether the token says that it is the private key's, by its id or label.
    pub(super) is_likely: bool,
    /// Whether it is from the certificate file, in whose place another one may be put.
    pub(super) is_replaceable: bool,
}

/// Everything that may be the public half of `private`, the likeliest first; each part is read only once it is asked for.
pub(super) fn candidates<'a>(
    session: &'a Session,
    private: &'a Object,
    certificate: &'a Path,
) -> impl Iterator<Item = Result<Candidate, TokenError>> + 'a {
    let public = lazy(move || public_objects(session, private));
    let own = lazy(move || Ok(own_public_part(session, private).into_iter().collect()));
    let certificates = lazy(move || certificate_objects(session, private));
    let file = lazy(move || Ok(in_file(certificate)));
    public.chain(own).chain(certificates).chain(file)
}

fn lazy<'a>(
    read: impl FnOnce() -> Result<Vec<Candidate>, TokenError> + 'a,
) -> impl Iterator<Item = Result<Candidate, TokenError>> + 'a {
    std::iter::once_with(read).flat_map(|outcome| match outcome {
        Ok(candidates) => candidates.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(error) => vec![Err(error)],
    })
}

/// The public key objects of the same kind.
fn public_objects(session: &Session, private: &Object) -> Result<Vec<Candidate>, TokenError> {
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

/// The public half as the private key object gives it: an RSA key has its modulus, PKCS#11 3.0 has CKA_PUBLIC_KEY_INFO.
fn own_public_part(session: &Session, private: &Object) -> Option<Candidate> {
    let info = session.get_attributes(private.handle, &[AttributeType::PublicKeyInfo]);
    // A key object that says nothing of its public half is no candidate; one that says something unusable is.
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

fn certificate_objects(session: &Session, private: &Object) -> Result<Vec<Candidate>, TokenError> {
    let mut all = objects(session, ObjectClass::CERTIFICATE)?;
    all.sort_by_key(|object| rank(object, private));
    Ok(all
        .iter()
        .filter_map(|object| {
            let attributes = session.get_attributes(object.handle, &[AttributeType::Value]).ok()?;
            let Some(Attribute::Value(der)) = attributes.into_iter().next() else {
                return None;
            };
            Some(Candidate {
                name: format!("certificate {}", object.name()),
                key: PublicKey::from_certificate(&der)?,
                is_likely: rank(object, private) < UNRELATED,
                is_replaceable: false,
            })
        })
        .collect())
}

/// The certificates in the file at `path`; what is there instead stands in the place of a key. None at all where there is no file.
fn in_file(path: &Path) -> Vec<Candidate> {
    let certificates = match pem_file::read(path) {
        Ok(file) => file.certificates,
        Err(ReadError::Missing) => return Vec::new(),
        Err(error) => {
            let problem = Problem::configuration(format!("{} {}", path.display(), error.what()));
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

/// The rank of an object that neither its id nor its label ties to the private key.
const UNRELATED: u8 = 3;

/// The same id and label come first, then the same id, then the same label.
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
