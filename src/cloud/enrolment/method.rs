//! The seam between enrolment and its methods.
//!
//! A method gets a certificate for a signing request from one kind of issuer. When it is asked, what is kept across a power cut, which
//! certificate is taken and where it is written are the same for all methods. A new method is a file of its own, with one arm in
//! `methods.rs`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::credential::Credential;
use super::failure::Failure;
use super::installed::InstalledCertificate;
use super::record::Purpose;
use super::texts::MethodTexts;
use crate::identity::Identity;

/// A request for a certificate.
pub(super) struct Request<'a> {
    /// The reason for the request.
    pub(super) purpose: Purpose,
    /// The proof of identity to use.
    pub(super) credential: Credential,
    /// The signing request of the identity's task.
    pub(super) csr: CertificateSigningRequestDer<'static>,
    /// The public key in it, as SubjectPublicKeyInfo.
    pub(super) key_info: &'a [u8],
    /// The certificate in its place, expired or not.
    pub(super) installed: Option<&'a InstalledCertificate>,
    /// The identity in use.
    pub(super) in_use: Option<Arc<Identity>>,
}

/// The outcome of a request that has not failed.
pub(super) enum Outcome {
    /// The issuer has issued a certificate.
    Issued(Issued),
    /// The issuer wants the same request again, no sooner than after this time.
    Wait(Duration),
}

/// Certificates that an issuer has sent.
#[derive(Default)]
pub(super) struct Issued {
    /// The certificates, in any order.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// Certificates of the CA, which may connect a new CA with the one in identity.ca-chain. They are never trusted for themselves.
    pub(super) published: Vec<CertificateDer<'static>>,
    /// The thing name, if the issuer assigns it.
    pub(super) thing_name: Option<String>,
}

/// A request under way.
pub(super) type Requesting<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + Send + 'a>>;

/// A way to get a certificate.
pub(super) trait Method: Send + Sync {
    /// Texts for problems that do not come from the method itself.
    fn texts(&self) -> &'static MethodTexts;

    /// Names the issuer, as messages call it.
    fn issuer(&self) -> String;

    /// The credential for a certificate that no other one vouches for, if there is one.
    fn bootstrap_credential(&self) -> Option<Credential>;

    /// The credential for a renewal, if there is one.
    fn renewal_credential(&self) -> Option<Credential> {
        Some(Credential::CurrentCertificate)
    }

    /// Sends a request.
    fn request<'a>(&'a self, request: &'a Request<'a>) -> Requesting<'a>;

    /// Ends what the method keeps about a request, because its certificate is in its place.
    fn finish(&self) {}
}
