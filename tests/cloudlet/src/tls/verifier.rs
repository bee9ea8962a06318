//! Verifies the client certificate during the handshake.

use std::time::SystemTime;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::account::{SharedAccount, Standing, standing};
use crate::switches::{BadCertificate, SwitchBoard};
use crate::x509::{ParsedCertificate, algorithms};

/// Verifies that the client holds the key of its certificate. Whether the certificate may connect is decided after the handshake, unless
/// the switch demands a TLS alert.
#[derive(Debug)]
pub(super) struct DeviceVerifier {
    account: SharedAccount,
    switches: SwitchBoard,
}

impl DeviceVerifier {
    pub(super) fn new(account: SharedAccount, switches: SwitchBoard) -> Self {
        Self { account, switches }
    }
}

impl ClientCertVerifier for DeviceVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    /// Accepts any chain after the leaf: AWS knows the registered CAs, and accepts the leaf alone or with its CA (developer guide,
    /// jit-provisioning).
    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let certificate = parse(leaf)?;
        if self.switches.get(|switches| switches.bad_certificate) == BadCertificate::TlsAlert {
            let standing = self
                .account
                .read(|account| standing(account, &certificate, SystemTime::now()));
            if matches!(standing, Standing::Rejected(_)) {
                // aws-iot-device-sdk-python issue 76: the alert is certificate_unknown.
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        parse(leaf)?
            .public_key
            .verify_tls12(message, signed)
            .map(|()| HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        parse(leaf)?
            .public_key
            .verify_tls13(message, signed)
            .map(|()| HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn parse(leaf: &CertificateDer<'_>) -> Result<ParsedCertificate, rustls::Error> {
    ParsedCertificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding.into())
}
