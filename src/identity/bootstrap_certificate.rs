//! A certificate with its key in a file, which proves where a device without an identity of its own comes from.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use super::validity::to_system_time;
use crate::clock::rfc3339;
use crate::pem_file;
use crate::problem::Problem;

/// The configuration keys that messages name.
#[derive(Clone, Copy, Debug)]
pub struct KeyNames {
    /// The key with the certificate's file.
    pub certificate: &'static str,
    /// The key with the private key's file.
    pub key_file: &'static str,
}

/// The keys of the claim certificate.
pub const CLAIM_NAMES: KeyNames = KeyNames {
    certificate: "enrolment.claim.certificate",
    key_file: "enrolment.claim.key-file",
};

/// A certificate and its private key.
#[derive(Clone, Debug)]
pub struct BootstrapCertificate {
    certified: Arc<CertifiedKey>,
    not_after: SystemTime,
}

impl BootstrapCertificate {
    /// Reads both files (PEM).
    ///
    /// # Errors
    /// If one of them cannot be used, or they do not belong together. The content of the key's file is never shown.
    pub fn load(certificate: &Path, key: &Path, names: KeyNames) -> Result<Self, Problem> {
        let refuse = |name: &str, path: &Path, what: &str, step: &str| {
            Problem::configuration(format!("{name}: {} {what}", path.display())).next(step.to_owned())
        };
        let file = pem_file::read(certificate)
            .map_err(|error| refuse(names.certificate, certificate, &error.describe(), error.next_step()))?;
        let ours = file
            .certificates
            .first()
            .and_then(|der| X509Certificate::from_der(der).ok());
        let Some((_, parsed)) = ours else {
            let step = "put the certificate (PEM) there";
            return Err(refuse(
                names.certificate,
                certificate,
                "has no certificate that can be read",
                step,
            ));
        };
        let bytes = fs::read(key).map(Zeroizing::new);
        let bytes = bytes.map_err(|error| {
            let what = format!("cannot be read: {error}");
            refuse(
                names.key_file,
                key,
                &what,
                "put the private key (PEM) there, readable by the user gatepost",
            )
        })?;
        let key_der = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
            let step = "put the private key there, in PEM and without a passphrase";
            refuse(names.key_file, key, "has no private key in PEM", step)
        })?;
        let signing_key = any_supported_type(&key_der).map_err(|_| {
            let step = "use a key of RSA with 2048 bits or more, P-256 or P-384";
            refuse(
                names.key_file,
                key,
                "has a private key of a kind that cannot be used",
                step,
            )
        })?;
        let is_for_key = signing_key
            .public_key()
            .is_some_and(|public| public.as_ref() == parsed.public_key().raw);
        if !is_for_key {
            let what = format!("is not the private key of {}", certificate.display());
            return Err(refuse(
                names.key_file,
                key,
                &what,
                "put the two files of one pair there",
            ));
        }
        let not_after = to_system_time(parsed.validity().not_after.timestamp());
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(file.certificates.clone(), signing_key)),
            not_after,
        })
    }

    /// Returns the problem of a certificate that has expired.
    pub fn expired(&self, now: SystemTime, name: &str) -> Option<Problem> {
        (now > self.not_after).then(|| {
            let message = format!("{name} has expired on {}", rfc3339(self.not_after));
            Problem::configuration(message).next("put a new certificate and its key into the place of the old ones")
        })
    }

    /// Returns the certificate and the key, for TLS.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384};

    use super::*;

    const NAMES: KeyNames = KeyNames {
        certificate: "a.certificate",
        key_file: "a.key-file",
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
                    assert!(expired.message.contains("it has expired on 2030-01-01"), "{expired}");
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
