//! Checks a certificate before it is installed.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::certificate::{Certificate, Loaded, Source};
use super::error::CertificateError;
use crate::clock::Clock;
use crate::config::IdentityConfig;
use crate::pem_file::{self, Content};
use crate::problem::Problem;

/// A certificate that can be installed.
#[derive(Debug)]
pub struct Offered {
    /// The certificate.
    pub certificate: Certificate,
    /// The content of the file to install: the device certificate, then the others that came with it.
    pub pem: String,
    /// A problem that AWS will have with it.
    pub warning: Option<Problem>,
}

impl Offered {
    /// Checks `content`, which messages call `name`, as the daemon checks an installed file: key, chain, name and validity.
    ///
    /// # Errors
    /// With the first reason why it cannot be used.
    pub fn judge(
        content: &[u8],
        name: &Path,
        config: &IdentityConfig,
        key_info: &[u8],
        clock: &dyn Clock,
    ) -> Result<Self, Problem> {
        let source = Source {
            path: name,
            content: Some(content),
            ..Source::from(config)
        };
        let refuse = |content: Content| {
            Problem::configuration(format!("{} {content}", name.display())).next(content.next_step())
        };
        let file = pem_file::parse(content).map_err(refuse)?;
        if file.has_private_key {
            return Err(refuse(Content::PrivateKey));
        }
        let loaded = Certificate::load(&source, Some(key_info), clock);
        let Loaded { certificate, warning } = loaded.map_err(|refusal| match refusal {
            CertificateError::NotYetValid(_, problem) | CertificateError::Unusable(problem) => problem,
            CertificateError::Missing => refuse(Content::Empty),
        })?;
        let pem = {
            let mut all: Vec<&CertificateDer<'static>> = vec![&certificate.leaf];
            for other in &file.certificates {
                if !all.contains(&other) {
                    all.push(other);
                }
            }
            pem_file::encode("CERTIFICATE", all.into_iter().map(AsRef::as_ref))
        };
        Ok(Self {
            certificate,
            pem,
            warning,
        })
    }
}

/// Extracts the public key of a certificate signing request, in the form of certificates; `None` if it is not a request.
pub fn key_of_request(pem: &[u8]) -> Option<Vec<u8>> {
    let der = CertificateSigningRequestDer::from_pem_slice(pem).ok()?;
    let (_, request) = X509CertificationRequest::from_der(&der).ok()?;
    Some(request.certification_request_info.subject_pki.raw.to_vec())
}
