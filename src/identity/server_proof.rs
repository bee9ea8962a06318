//! Connects by TLS without a client certificate, to verify a server before the gateway has a certificate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::tls::WallTime;
use crate::clock::SharedClock;

/// Verifies a server as rustls does, and remembers whether the server has proven that the certificate is its own. After that,
/// AWS aborts a handshake without a client certificate.
#[derive(Debug)]
pub struct ServerProof {
    verifier: Arc<WebPkiServerVerifier>,
    proven: AtomicBool,
}

impl ServerProof {
    /// Creates a verifier, and a configuration that uses it.
    ///
    /// # Errors
    /// If rustls accepts no verifier with these roots.
    pub fn new(
        roots: Arc<RootCertStore>,
        alpn: &[&str],
        clock: SharedClock,
    ) -> Result<(Arc<Self>, Arc<ClientConfig>), Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| Error::Other(OtherError(Arc::new(error))))?;
        let proof = Arc::new(Self {
            verifier,
            proven: AtomicBool::new(false),
        });
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(WallTime(clock)))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(proof.clone())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.resumption = Resumption::disabled();
        Ok((proof, Arc::new(config)))
    }

    /// Returns whether the server has presented a trusted certificate and signed with its key.
    pub fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    fn record(&self, outcome: Result<HandshakeSignatureValid, Error>) -> Result<HandshakeSignatureValid, Error> {
        outcome.inspect(|_| self.proven.store(true, Ordering::Relaxed))
    }
}

impl ServerCertVerifier for ServerProof {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    // Signatures are verified after the certificate, so a valid one completes the proof.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.record(self.verifier.verify_tls12_signature(message, certificate, signature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.record(self.verifier.verify_tls13_signature(message, certificate, signature))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
