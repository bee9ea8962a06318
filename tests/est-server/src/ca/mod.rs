//! The CA: its certificate and key, and those before and after a rollover.

mod key;
mod key_kind;
mod pkcs11;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;

pub use key::CaKey;
pub use pkcs11::Pkcs11Key;

use crate::error::Error;
use crate::x509::{self, Extension, Unsigned};

const CA_LIFETIME: Duration = Duration::from_secs(20 * 365 * 24 * 3600);

/// The CA's certificate and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CaSource {
    /// The ones in the server's folder, created at the first start.
    #[default]
    Folder,
    /// A key in a PEM file (PKCS#8).
    File {
        /// The CA's certificate in PEM, then those of its issuers.
        certificates: String,
        /// The key in PEM.
        key: String,
    },
    /// A key in a token.
    Token {
        /// The CA's certificate in PEM, then those of its issuers.
        certificates: String,
        /// The PKCS#11 module.
        module: std::path::PathBuf,
        /// `pkcs11:token=LABEL;object=LABEL`.
        uri: String,
        /// The user PIN.
        pin: String,
    },
}

/// A CA certificate and its key.
#[derive(Debug)]
pub(crate) struct Ca {
    pub(crate) certificate: Vec<u8>,
    /// Its issuers' certificates.
    pub(crate) issuers: Vec<Vec<u8>>,
    pub(crate) key: CaKey,
    pub(crate) subject: Vec<u8>,
    key_id: Option<Vec<u8>>,
    pub(crate) common_name: String,
}

/// The current CA and those that it has replaced.
#[derive(Debug)]
pub(crate) struct Cas {
    generations: Vec<Ca>,
    /// Certificates that connect the CAs: each new CA's key signed by the old one, and the reverse (RFC 7030, 4.1.3).
    cross: Vec<Vec<u8>>,
}

impl Ca {
    fn new(mut certificates: Vec<Vec<u8>>, key: CaKey) -> Result<Self, Error> {
        if certificates.is_empty() {
            return Err(Error::Ca("there is no CA certificate".to_owned()));
        }
        let certificate = certificates.remove(0);
        let (subject, key_id, common_name) = {
            let (_, parsed) = X509Certificate::from_der(&certificate)
                .map_err(|_| Error::Ca("the CA certificate is not an X.509 certificate".to_owned()))?;
            if parsed.public_key().raw != key.key_info() {
                return Err(Error::Ca("the CA certificate is for another key".to_owned()));
            }
            let key_id = parsed
                .extensions()
                .iter()
                .find_map(|extension| match extension.parsed_extension() {
                    ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                    _ => None,
                });
            let common_name = parsed.subject().iter_common_name().next();
            let common_name = common_name.and_then(|name| name.as_str().ok()).unwrap_or_default();
            (parsed.subject().as_raw().to_vec(), key_id, common_name.to_owned())
        };
        Ok(Self {
            certificate,
            issuers: certificates,
            key,
            subject,
            key_id,
            common_name,
        })
    }

    pub(crate) fn self_signed(common_name: &str) -> Result<Self, Error> {
        let pair = KeyPair::generate().map_err(|error| Error::Ca(error.to_string()))?;
        Self::self_signed_with(common_name, pair)
    }

    fn self_signed_with(common_name: &str, pair: KeyPair) -> Result<Self, Error> {
        let key = CaKey::software(pair)?;
        let subject = x509::common_name(common_name);
        let certificate = ca_certificate(&subject, &subject, key.key_info(), &key)?;
        Self::new(vec![certificate], key)
    }

    /// Returns the extension that identifies this CA's key, if its certificate has a key identifier.
    pub(crate) fn authority_key_id(&self) -> Option<Extension> {
        Some(Extension::authority_key_id(self.key_id.as_ref()?))
    }
}

impl Cas {
    /// Opens the CA and its successors in `folder`.
    pub(crate) fn open(source: &CaSource, folder: &Path) -> Result<Self, Error> {
        let first = match source {
            CaSource::Folder => open_or_make(folder, 1)?,
            CaSource::File { certificates, key } => {
                let pair = KeyPair::from_pem(key).map_err(|error| Error::Ca(format!("the key: {error}")))?;
                Ca::new(ders(certificates)?, CaKey::software(pair)?)?
            }
            CaSource::Token {
                certificates,
                module,
                uri,
                pin,
            } => {
                let certificates = ders(certificates)?;
                let key_info = certificates.first().and_then(|der| X509Certificate::from_der(der).ok());
                let key_info = key_info.map(|(_, certificate)| certificate.public_key().raw.to_vec());
                let key_info = key_info.ok_or_else(|| Error::Ca("there is no CA certificate".to_owned()))?;
                let key = CaKey::token(Pkcs11Key::open(module, uri, pin)?, &key_info)?;
                Ca::new(certificates, key)?
            }
        };
        let mut cas = Self {
            generations: vec![first],
            cross: Vec::new(),
        };
        while folder.join(names(cas.generations.len() + 1).0).exists() {
            cas.add(open_or_make(folder, cas.generations.len() + 1)?)?;
        }
        Ok(cas)
    }

    /// Replaces the CA by a new one with its own key, stored in `folder`.
    pub(crate) fn roll_over(&mut self, folder: &Path) -> Result<(), Error> {
        self.add(open_or_make(folder, self.generations.len() + 1)?)
    }

    fn add(&mut self, new: Ca) -> Result<(), Error> {
        if let Some(old) = self.generations.last() {
            let new_with_old = ca_certificate(&old.subject, &new.subject, new.key.key_info(), &old.key)?;
            let old_with_new = ca_certificate(&new.subject, &old.subject, old.key.key_info(), &new.key)?;
            self.cross.extend([new_with_old, old_with_new]);
        }
        self.generations.push(new);
        Ok(())
    }

    /// Returns the current CA.
    pub(crate) fn current(&self) -> Option<&Ca> {
        self.generations.last()
    }

    /// Returns all CAs, the newest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Ca> {
        self.generations.iter().rev()
    }

    /// Returns the answer to cacerts: the CAs with their issuers, the newest first, then the certificates that connect them.
    pub(crate) fn published(&self) -> Vec<Vec<u8>> {
        let own = self
            .all()
            .flat_map(|ca| std::iter::once(&ca.certificate).chain(&ca.issuers));
        own.chain(&self.cross).cloned().collect()
    }
}

fn ca_certificate(issuer: &[u8], subject: &[u8], key_info: &[u8], signer: &CaKey) -> Result<Vec<u8>, Error> {
    let now = SystemTime::now();
    let unsigned = Unsigned {
        issuer,
        subject,
        key_info,
        not_before: now,
        not_after: now + CA_LIFETIME,
        extensions: vec![
            Extension::basic_constraints(true),
            Extension::key_usage(true),
            Extension::subject_key_id(&x509::key_id(key_info)),
            Extension::authority_key_id(&x509::key_id(signer.key_info())),
        ],
    };
    Ok(unsigned
        .sign(signer.signature_algorithm(), |message| signer.sign(message))?
        .0)
}

/// Returns the file names of certificate and key of the CA's n-th generation.
fn names(generation: usize) -> (String, String) {
    match generation {
        1 => ("ca.pem".to_owned(), "ca.key".to_owned()),
        _ => (format!("ca-{generation}.pem"), format!("ca-{generation}.key")),
    }
}

fn open_or_make(folder: &Path, generation: usize) -> Result<Ca, Error> {
    let (certificate, key) = names(generation);
    let (certificate, key) = (folder.join(certificate), folder.join(key));
    if certificate.exists() && key.exists() {
        let pair = KeyPair::from_pem(&read(&key)?).map_err(|error| Error::Ca(format!("{}: {error}", key.display())))?;
        return Ca::new(ders(&read(&certificate)?)?, CaKey::software(pair)?);
    }
    let pair = KeyPair::generate().map_err(|error| Error::Ca(error.to_string()))?;
    write(&key, &pair.serialize_pem(), 0o600)?;
    let ca = Ca::self_signed_with(&format!("EST Trial CA {generation}"), pair)?;
    write(
        &certificate,
        &crate::pkcs7::pem_certificates(std::slice::from_ref(&ca.certificate)),
        0o644,
    )?;
    Ok(ca)
}

/// Parses the certificates of a PEM text.
pub(crate) fn ders(pem: &str) -> Result<Vec<Vec<u8>>, Error> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|der| der.map(|der| der.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Ca(format!("no PEM certificates: {error}")))
}

pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io(format!("reading {}", path.display())))
}

pub(crate) fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::io(format!("writing {}", path.display())))
}
