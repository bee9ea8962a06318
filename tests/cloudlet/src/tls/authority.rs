//! The cloudlet's own root, in place of Amazon's, and the server certificate that it issues.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::Error;

/// A root CA in a folder, so that clients that trust it still do so after a restart.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    path: PathBuf,
}

impl Authority {
    /// Loads the root from a folder, or creates it.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("root-ca.pem");
        let key_path = folder.join("root-ca.key");
        if path.exists() && key_path.exists() {
            let read =
                |path: &Path| std::fs::read_to_string(path).map_err(Error::io(format!("reading {}", path.display())));
            let key = KeyPair::from_pem(&read(&key_path)?).map_err(tls)?;
            return Ok(Self {
                pem: read(&path)?,
                issuer: Issuer::new(parameters(), key),
                path,
            });
        }
        let key = KeyPair::generate().map_err(tls)?;
        let pem = parameters().self_signed(&key).map_err(tls)?.pem();
        write(&key_path, &key.serialize_pem(), 0o600)?;
        write(&path, &pem, 0o644)?;
        Ok(Self {
            issuer: Issuer::new(parameters(), key),
            pem,
            path,
        })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates a key and certificate for a server's name.
    pub(super) fn server_key(&self, host: &str) -> Result<CertifiedKey, Error> {
        let key = KeyPair::generate().map_err(tls)?;
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).map_err(tls)?;
        parameters.distinguished_name = named(host);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate: CertificateDer<'static> = parameters.signed_by(&key, &self.issuer).map_err(tls)?.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = ring::sign::any_supported_type(&key).map_err(|error| Error::Tls(error.to_string()))?;
        Ok(CertifiedKey::new(vec![certificate], key))
    }
}

fn parameters() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = named("Cloudlet Root CA");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::io(format!("writing {}", path.display())))
}

fn tls(error: rcgen::Error) -> Error {
    Error::Tls(error.to_string())
}
