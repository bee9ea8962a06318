//! A CA, a server and a client certificate, made for one case.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::ResolvesClientCert,
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
    sign::CertifiedKey,
};

pub const ALPN: &[u8] = b"x-amzn-mqtt-ca";

type Error = Box<dyn std::error::Error>;

pub struct Pair {
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
}

#[derive(Debug)]
struct Identity(Arc<CertifiedKey>);

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

pub fn pair() -> Result<Pair, Error> {
    let provider = Arc::new(ring::default_provider());
    let mut ca = CertificateParams::new([])?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
    let issue = |name: &str| -> Result<(CertificateDer<'static>, PrivatePkcs8KeyDer<'static>), Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, &ca)?;
        Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der())))
    };
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone())?;
    let roots = Arc::new(roots);

    let (certificate, key) = issue("localhost")?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key.into())?;
    server.alpn_protocols = vec![ALPN.to_vec()];

    let (certificate, key) = issue("gw-1")?;
    let key = provider.key_provider.load_private_key(key.into())?;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(Identity(Arc::new(CertifiedKey::new(vec![certificate], key)))));
    client.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Pair {
        server: Arc::new(server),
        client: Arc::new(client),
    })
}

/// Trusts what `config` trusts, but shows the certificate of `other`.
pub fn with_identity_of(config: &ClientConfig, other: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config.client_auth_cert_resolver = Arc::clone(&other.client_auth_cert_resolver);
    config
}
