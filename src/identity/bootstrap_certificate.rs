//! A certificate with its key in a file or in the token, which proves where a device without an identity of its own comes from.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use super::name::describe;
use super::signing_key::TokenKey;
use super::validity::to_system_time;
use crate::clock::rfc3339;
use crate::pem_file::{self, PemFile};
use crate::problem::Problem;
use crate::token::NamedKey;

/// The configuration keys that messages name.
#[derive(Clone, Copy, Debug)]
pub struct KeyNames {
    /// The key with the certificate's file.
    pub certificate: &'static str,
    /// The key with the private key's file, or its URI.
    pub key: &'static str,
}

/// The keys of the claim certificate whose private key is in a file.
pub const CLAIM_NAMES: KeyNames = KeyNames {
    certificate: "enrolment.claim.certificate",
    key: "enrolment.claim.key-file",
};

/// A certificate and its private key.
#[derive(Clone, Debug)]
pub struct BootstrapCertificate {
    certified: Arc<CertifiedKey>,
    not_after: SystemTime,
    issuer: String,
    can_tls13: bool,
}

impl BootstrapCertificate {
    /// Reads both files (PEM).
    ///
    /// # Errors
    /// If one of them cannot be used, or they do not belong together. The content of the key's file is never shown.
    pub fn load(certificate: &Path, key: &Path, names: KeyNames) -> Result<Self, Problem> {
        let file = read_certificates(certificate, names.certificate)?;
        let signing_key = read_key(key, names.key)?;
        let info = signing_key.public_key().map(|info| info.as_ref().to_vec());
        Self::pair(&file.certificates, info.as_deref(), signing_key, true).ok_or_else(|| {
            let what = format!("is not the private key of {}", certificate.display());
            refuse(names.key, key, &what, "put the two files of one pair there")
        })
    }

    /// Reads the certificate for a key in the token.
    ///
    /// # Errors
    /// If the file has no certificate for this key, or has a private key.
    pub fn with_key(key: &TokenKey) -> Result<Self, Problem> {
        let name = key.name();
        let file = read_certificates_alone(&name.certificate, name.certificate_setting)?;
        let info = key.public().subject_public_key_info();
        let signing_key = Arc::new(key.clone());
        Self::pair(&file.certificates, Some(&info), signing_key, key.can_tls13()).ok_or_else(|| not_for_key(name))
    }

    /// Puts the certificate with this public key before the others; `None` if there is none.
    fn pair(
        certificates: &[CertificateDer<'static>],
        key_info: Option<&[u8]>,
        signing_key: Arc<dyn SigningKey>,
        can_tls13: bool,
    ) -> Option<Self> {
        let ours = select(certificates, key_info)?;
        let leaf = parse(ours)?;
        let (not_after, issuer) = (
            to_system_time(leaf.validity().not_after.timestamp()),
            describe(leaf.issuer()),
        );
        let others = certificates.iter().filter(|der| *der != ours);
        let chain = std::iter::once(ours).chain(others).cloned().collect();
        Some(Self {
            certified: Arc::new(CertifiedKey::new(chain, signing_key)),
            not_after,
            issuer,
            can_tls13,
        })
    }

    /// Returns the name of the CA that has issued it, as text.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns whether the key can sign in TLS 1.3.
    pub(super) fn can_tls13(&self) -> bool {
        self.can_tls13
    }

    /// Returns the problem of a certificate that has expired.
    pub fn expired(&self, now: SystemTime, name: &str) -> Option<Problem> {
        expired(self.not_after, now, name)
    }

    /// Returns the certificate without those of its CAs.
    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.certified.cert.first()
    }

    /// Returns the certificate and the key, for TLS.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }
}

/// Finds the faults of the certificate's file that show without the token, for `gatepostd --check-config`. Returns the problem of
/// one that has expired.
///
/// # Errors
/// If it is not a file of certificates.
pub(super) fn examine_certificate(name: &NamedKey, now: SystemTime) -> Result<Option<Problem>, Problem> {
    let file = read_certificates_alone(&name.certificate, name.certificate_setting)?;
    Ok(last_end(&file).and_then(|end| expired(end, now, name.certificate_setting)))
}

/// Returns the certificate with this public key.
pub(super) fn select<'a>(
    certificates: &'a [CertificateDer<'static>],
    key_info: Option<&[u8]>,
) -> Option<&'a CertificateDer<'static>> {
    let is_ours = |der: &&CertificateDer| parse(der).is_some_and(|one| Some(one.public_key().raw) == key_info);
    certificates.iter().find(is_ours)
}

pub(super) fn not_for_key(name: &NamedKey) -> Problem {
    let NamedKey {
        certificate,
        certificate_setting,
        setting,
        uri,
    } = name;
    let what = format!("has no certificate for the key that {setting} ({uri}) selects in the token");
    let step = format!("put the certificate for that key there, or correct {setting}");
    refuse(certificate_setting, certificate, &what, &step)
}

pub(super) fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(der).ok().map(|(_, parsed)| parsed)
}

/// Returns whether all device certificates in a file have expired. A file that cannot be read has not.
pub fn has_expired(path: &Path, now: SystemTime) -> bool {
    let file = pem_file::read(path);
    file.is_ok_and(|file| last_end(&file).is_some_and(|end| now > end))
}

/// Returns the latest end of a certificate that is not a CA's.
fn last_end(file: &PemFile) -> Option<SystemTime> {
    let ends = file.certificates.iter().filter_map(|der| {
        let parsed = parse(der)?;
        (!parsed.is_ca()).then(|| to_system_time(parsed.validity().not_after.timestamp()))
    });
    ends.max()
}

fn expired(not_after: SystemTime, now: SystemTime, name: &str) -> Option<Problem> {
    (now > not_after).then(|| {
        let message = format!("{name} expired on {}", rfc3339(not_after));
        Problem::configuration(message).next("replace the certificate and its key with new ones")
    })
}

fn refuse(name: &str, path: &Path, what: &str, step: &str) -> Problem {
    Problem::configuration(format!("{name}: {} {what}", path.display())).next(step.to_owned())
}

fn read_certificates(path: &Path, name: &str) -> Result<PemFile, Problem> {
    let file = pem_file::read(path).map_err(|error| refuse(name, path, &error.describe(), error.next_step()))?;
    match file.certificates.first().is_some_and(|der| parse(der).is_some()) {
        true => Ok(file),
        false => Err(refuse(
            name,
            path,
            "has no certificate that can be read",
            "put the certificate (PEM) there",
        )),
    }
}

/// Reads a file that must have no private key, because the key belongs into the token.
pub(super) fn read_certificates_alone(path: &Path, name: &str) -> Result<PemFile, Problem> {
    let file = read_certificates(path, name)?;
    let content = pem_file::Content::PrivateKey;
    match file.has_private_key {
        false => Ok(file),
        true => Err(refuse(
            name,
            path,
            &format!("{content} beside the certificate"),
            content.next_step(),
        )),
    }
}

fn read_key(path: &Path, name: &str) -> Result<Arc<dyn SigningKey>, Problem> {
    let bytes = fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| {
        let what = format!("cannot be read: {error}");
        let step = "put the private key (PEM) there, readable by the user gatepost";
        refuse(name, path, &what, step)
    })?;
    let der = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        let step = "put the private key there, in PEM and without a passphrase";
        refuse(name, path, "has no private key in PEM", step)
    })?;
    any_supported_type(&der).map_err(|_| {
        let step = "use a key of RSA with 2048 bits or more, P-256 or P-384";
        refuse(name, path, "has a private key of a kind that cannot be used", step)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384};

    use super::*;

    const NAMES: KeyNames = KeyNames {
        certificate: "a.certificate",
        key: "a.key-file",
    };

    fn end_of_2029() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_456_000)
    }

    #[test]
    fn only_a_pair_that_belongs_together_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("c.key"));
        let pair = KeyPair::generate().unwrap();
        let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let good = params.self_signed(&pair).unwrap().pem();
        let (good_key, other_key) = (pair.serialize_pem(), other.serialize_pem());
        let cut = &good_key[..good_key.len() / 2];
        for (certificate_text, key_text, part) in [
            (Some(good.as_str()), Some(good_key.as_str()), None),
            (None, Some(&good_key), Some("a.certificate: ")),
            (Some(""), Some(&good_key), Some("a.certificate: ")),
            (Some(&good_key), Some(&good_key), Some("a.certificate: ")),
            (Some(&good), None, Some("cannot be read")),
            (Some(&good), Some(""), Some("no private key in PEM")),
            (Some(&good), Some("hunter2"), Some("no private key in PEM")),
            (Some(&good), Some(&good), Some("no private key in PEM")),
            (Some(&good), Some(cut), Some("no private key in PEM")),
            (Some(&good), Some(&other_key), Some("is not the private key of")),
            (
                Some(&good),
                Some("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"),
                Some("of a kind that cannot be used"),
            ),
        ] {
            for (path, text) in [(&certificate, certificate_text), (&key, key_text)] {
                let _ = fs::remove_file(path);
                if let Some(text) = text {
                    fs::write(path, text).unwrap();
                }
            }
            match (BootstrapCertificate::load(&certificate, &key, NAMES), part) {
                (Ok(loaded), None) => {
                    assert!(loaded.expired(end_of_2029() - Duration::from_secs(60), "it").is_none());
                    let expired = loaded.expired(end_of_2029() + Duration::from_secs(60), "it").unwrap();
                    assert!(expired.message.contains("it expired on 2030-01-01"), "{expired}");
                }
                (Err(problem), Some(part)) => {
                    let text = problem.to_string();
                    assert!(
                        text.contains(part) && !text.contains("hunter2") && !text.contains("MIG"),
                        "{text}"
                    );
                }
                (outcome, part) => panic!("{part:?}: {}", outcome.is_ok()),
            }
        }
    }
}
