//! The kinds of keys that a CA may have.

use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::error::Error;

/// A kind of key that the server signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    EcP256,
    EcP384,
    Rsa,
}

impl KeyKind {
    pub(super) fn of(key_info: &[u8]) -> Result<Self, Error> {
        let unusable = || Error::Ca("the CA's key is none of EC P-256, EC P-384 and RSA".to_owned());
        let (_, info) = SubjectPublicKeyInfo::from_der(key_info).map_err(|_| unusable())?;
        let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
        match (
            info.algorithm.algorithm.to_id_string().as_str(),
            curve.map(|curve| curve.to_id_string()).as_deref(),
        ) {
            ("1.2.840.113549.1.1.1", _) => Ok(Self::Rsa),
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Ok(Self::EcP256),
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => Ok(Self::EcP384),
            _ => Err(unusable()),
        }
    }
}
