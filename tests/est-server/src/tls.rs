//! The server's TLS: its own root, and client certificates, which are requested, and required only if the options say so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};

use crate::ca::{read, write};
use crate::error::Error;

/// The server's certificate and key, under a root that is not the CA's.
pub(crate) struct ServerIdentity {
    key: Arc<SingleCertAndKey>,
    root_pem: String,
    root_path: PathBuf,
}

impl ServerIdentity {
    /// Loads the root from a folder, or creates it, and issues a new certificate with it.
    pub(crate) fn open(folder: &Path, host: &str) -> Result<Self, Error> {
        let (root_path, key_path) = (folder.join("server-ca.pem"), folder.join("server-ca.key"));
        let (issuer, root_pem) = match root_path.exists() && key_path.exists() {
            true => {
                let key = KeyPair::from_pem(&read(&key_path)?).map_err(tls)?;
                (Issuer::new(root_parameters(), key), read(&root_path)?)
            }
            false => {
                let key = KeyPair::generate().map_err(tls)?;
                let pem = root_parameters().self_signed(&key).map_err(tls)?.pem();
                write(&key_path, &key.serialize_pem(), 0o600)?;
                write(&root_path, &pem, 0o644)?;
                (Issuer::new(root_parameters(), key), pem)
            }
        };
        let pair = KeyPair::generate().map_err(tls)?;
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).map_err(tls)?;
        parameters.distinguished_name = named(host);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate: CertificateDer<'static> = parameters.signed_by(&pair, &issuer).map_err(tls)?.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        let key = ring::sign::any_supported_type(&key).map_err(|error| Error::Tls(error.to_string()))?;
        Ok(Self {
            key: Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key))),
            root_pem,
            root_path,
        })
    }

    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    pub(crate) fn root_path(&self) -> &Path {
        &self.root_path
    }

    /// Returns the configuration for the next connection. The accepted client certificates change with each rollover.
    pub(crate) fn config(&self, clients: &[Vec<u8>], is_required: bool) -> Result<Arc<ServerConfig>, Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(clients.iter().cloned().map(CertificateDer::from));
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let verifier = match is_required {
            true => verifier,
            false => verifier.allow_unauthenticated(),
        };
        let verifier = verifier.build().map_err(|error| Error::Tls(error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Tls(error.to_string()))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.key.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

fn root_parameters() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = named("EST Trial Server Root");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn tls(error: rcgen::Error) -> Error {
    Error::Tls(error.to_string())
}
