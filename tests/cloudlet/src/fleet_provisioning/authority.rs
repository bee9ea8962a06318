//! The CA of AWS IoT for device certificates.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData};
use time::OffsetDateTime;

use crate::Error;
use crate::account::CertificateId;
use crate::switches::{FleetProvisioningSwitches, IssuedSubject};
use crate::x509::SigningRequest;

/// The CA of the certificates that AWS IoT issues. Its certificate is not published, so a new one is created at each start.
pub(crate) struct DeviceAuthority(Issuer<'static, KeyPair>);

/// A certificate with a key created by AWS, such as a claim certificate.
pub struct KeysAndCertificate {
    /// The identifier of the certificate.
    pub id: CertificateId,
    /// The certificate (PEM).
    pub certificate: String,
    /// The private key (PEM).
    pub private_key: String,
}

impl DeviceAuthority {
    pub(crate) fn new() -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(|error| Error::Tls(error.to_string()))?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = named(&[
            (DnType::OrganizationalUnitName, "Amazon Web Services"),
            (DnType::OrganizationName, "Amazon.com Inc."),
            (DnType::LocalityName, "Seattle"),
            (DnType::StateOrProvinceName, "Washington"),
            (DnType::CountryName, "US"),
        ]);
        Ok(Self(Issuer::new(parameters, key)))
    }

    /// Issues a certificate (PEM) for a signing request.
    pub(crate) fn sign(&self, request: &SigningRequest, fleet: &FleetProvisioningSwitches) -> Result<String, Error> {
        let subject = match fleet.issued_subject {
            IssuedSubject::OfRequest => request.subject.clone(),
            IssuedSubject::Default => default_subject(),
        };
        self.issue(&request.public_key, subject, fleet.certificate_lifetime)
    }

    /// Creates a new key and a certificate for it (both PEM).
    pub(crate) fn create_keys(&self, fleet: &FleetProvisioningSwitches) -> Result<(String, String), Error> {
        let key = KeyPair::generate().map_err(|error| Error::Tls(error.to_string()))?;
        let certificate = self.issue(&key, default_subject(), fleet.certificate_lifetime)?;
        Ok((certificate, key.serialize_pem()))
    }

    fn issue(
        &self,
        key: &impl PublicKeyData,
        subject: DistinguishedName,
        lifetime: Option<Duration>,
    ) -> Result<String, Error> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = subject;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // AWS's own certificates start two minutes before they are issued, and end with 2049.
        let now = OffsetDateTime::from(SystemTime::now());
        parameters.not_before = now - Duration::from_secs(120);
        parameters.not_after = match lifetime {
            Some(lifetime) => now + lifetime,
            None => rcgen::date_time_ymd(2049, 12, 31),
        };
        let certificate = parameters.signed_by(key, &self.0);
        certificate
            .map(|certificate| certificate.pem())
            .map_err(|error| Error::Certificate(error.to_string()))
    }
}

fn default_subject() -> DistinguishedName {
    named(&[(DnType::CommonName, "AWS IoT Certificate")])
}

fn named(attributes: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in attributes {
        name.push(kind.clone(), *value);
    }
    name
}
