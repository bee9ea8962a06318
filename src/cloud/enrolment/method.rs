//! The interface between enrolment and its methods.
//!
//! A method gets a certificate for a signing request from one kind of issuer. All methods share when a request is made, what survives a
//! power cut, which certificate is chosen and where it is written. A new method is a file of its own, with one arm in `methods.rs`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::credential::CredentialKind;
use super::failure::Failure;
use super::installed::InstalledCertificate;
use super::record::Purpose;
use super::texts::MethodTexts;
use crate::identity::{Identity, TokenKey};

/// A request for a certificate.
pub(super) struct Request<'a> {
    /// The reason for the request.
    pub(super) purpose: Purpose,
    /// The credential to use.
    pub(super) credential: CredentialKind,
    /// The signing request.
    pub(super) csr: CertificateSigningRequestDer<'static>,
    /// The key that it is for, which need not be that of the certificate in use.
    pub(super) key: &'a TokenKey,
    /// Its public key, as SubjectPublicKeyInfo.
    pub(super) key_info: &'a [u8],
    /// The installed certificate, expired or not.
    pub(super) installed: Option<&'a InstalledCertificate>,
    /// The identity in use.
    pub(super) in_use: Option<Arc<Identity>>,
}

/// The outcome of a request that did not fail.
pub(super) enum Outcome {
    /// The issuer has issued a certificate.
    Issued(Issued),
    /// The issuer wants the same request again, no sooner than after this time.
    Wait(Duration),
}

/// Certificates received from an issuer.
#[derive(Default)]
pub(super) struct Issued {
    /// The certificates, in any order.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// Certificates of the CA, which may connect a new CA with the one in identity.ca-chain. They are not trusted by themselves.
    pub(super) published: Vec<CertificateDer<'static>>,
    /// The thing name, if the issuer assigns it.
    pub(super) thing_name: Option<String>,
}

/// A request in progress.
pub(super) type Requesting<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + Send + 'a>>;

/// A way to get a certificate.
pub(super) trait Method: Send + Sync {
    /// Returns texts for problems that do not come from the method itself.
    fn texts(&self) -> &'static MethodTexts;

    /// Returns the issuer's name in messages.
    fn issuer(&self) -> String;

    /// Returns the credential for a first certificate, or for one that replaces an expired certificate, if there is one.
    fn bootstrap_credential(&self) -> Option<CredentialKind>;

    /// Returns the credential for a renewal, if there is one.
    fn renewal_credential(&self) -> Option<CredentialKind> {
        Some(CredentialKind::CurrentCertificate)
    }

    /// Sends a request.
    fn request<'a>(&'a self, request: &'a Request<'a>) -> Requesting<'a>;

    /// Removes what the method has stored about a request, because its certificate is installed.
    fn finish(&self) {}
}
