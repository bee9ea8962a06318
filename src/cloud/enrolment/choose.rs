//! Chooses the new certificate among those received, and checks it before anything is written.
//!
//! Servers send the chain in any order, so the certificate is found by its key. [`Offered`] checks what is required of every certificate
//! (key, name, validity, path). Enrolment requires more, because nobody looks at the certificates that it brings.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::clock::Clock;
use crate::config::IdentityConfig;
use crate::identity::{Certificate, Offered};
use crate::pem_file;
use crate::problem::{Problem, Remedy};

/// Requirements on the certificate that was requested.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The server's name in messages.
    pub server: &'a str,
    /// The public key of the request, as SubjectPublicKeyInfo.
    pub key_info: &'a [u8],
    /// The thing name that the certificate must contain.
    pub thing_name: &'a str,
    /// The ID of the certificate that is being renewed.
    pub renewed: Option<&'a str>,
}

/// The reason why none of the certificates is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChooseError {
    /// The right one is not valid yet, but will be soon: the same certificates can be checked again then.
    Soon(Problem),
    /// None of them can be used.
    Unusable(Problem),
}

/// Finds the requested certificate among `received`. `published` are the CA's certificates from `cacerts`, which may connect a new CA with
/// the one in identity.ca-chain.
///
/// # Errors
/// With the first reason not to use it.
pub fn choose(
    received: &[CertificateDer<'static>],
    published: &[CertificateDer<'static>],
    expected: &Expected,
    config: &IdentityConfig,
    clock: &dyn Clock,
) -> Result<Offered, ChooseError> {
    let server = expected.server;
    let unusable = |problem| Err(ChooseError::Unusable(problem));
    let has_our_key = |der: &CertificateDer| parsed(der).is_some_and(|one| one.public_key().raw == expected.key_info);
    let ours: Vec<&CertificateDer<'static>> = received.iter().filter(|der| has_our_key(der)).collect();
    if ours.is_empty() {
        let message = format!("{server} sent no certificate for the key that was asked for");
        return unusable(
            Problem::configuration(message)
                .next("look at the issuer: it must sign the public key of the request, not one of its own making"),
        );
    }
    let anchors = anchors(config)?;
    let others = received.iter().chain(published).filter(|der| !has_our_key(der));
    let others = others.filter(|der| match &anchors {
        Some(anchors) => anchors.contains(der) || !leads_past(der, anchors),
        None => true,
    });
    let text = pem_file::encode("CERTIFICATE", ours.into_iter().chain(others).map(AsRef::as_ref));
    let name = format!("the certificate from {server}");
    let judged = Offered::judge(text.as_bytes(), Path::new(&name), config, expected.key_info, clock);
    let offered = judged.map_err(|problem| match problem.remedy {
        Remedy::None => ChooseError::Soon(problem),
        _ => ChooseError::Unusable(problem),
    })?;
    if let Some(problem) = fault(&offered.certificate, expected, anchors.as_deref()) {
        return unusable(problem);
    }
    Ok(offered)
}

/// Returns the fault of a certificate that would be accepted from a file, but must not come from enrolment.
fn fault(certificate: &Certificate, expected: &Expected, anchors: Option<&[CertificateDer]>) -> Option<Problem> {
    let server = expected.server;
    if Some(certificate.id.as_str()) == expected.renewed {
        let message = format!("{server} answered the renewal with the certificate that is to be renewed");
        return Some(Problem::configuration(message).next("look at the issuer: it must issue a new certificate"));
    }
    if certificate.thing_name != expected.thing_name {
        let message = format!(
            "{server} sent a certificate for {}, and this gateway is {}",
            crate::foreign_text::clean(&certificate.thing_name),
            expected.thing_name
        );
        return Some(
            Problem::configuration(message)
                .next("have the CA leave the subject as it is requested, or set identity.thing-name"),
        );
    }
    if lacks_client_auth(&certificate.leaf) {
        let message =
            format!("{server} sent a certificate that is not for TLS clients (extended key usage without clientAuth)");
        return Some(Problem::configuration(message).next("choose a profile for TLS clients at the CA"));
    }
    let is_anchored = |anchors: &[CertificateDer]| certificate.chain.iter().any(|der| anchors.contains(der));
    if !anchors.is_none_or(is_anchored) {
        let message = format!("{server} sent a certificate whose path does not lead to a CA in identity.ca-chain");
        return Some(Problem::configuration(message).next(
            "put the certificate of the CA into identity.ca-chain if it is meant to be the fleet's, and register it with AWS IoT",
        ));
    }
    None
}

/// Reads the certificates of identity.ca-chain; `None` if it is not configured.
fn anchors(config: &IdentityConfig) -> Result<Option<Vec<CertificateDer<'static>>>, ChooseError> {
    let Some(path) = &config.ca_chain else {
        return Ok(None);
    };
    pem_file::read(path)
        .map(|file| Some(file.certificates))
        .map_err(|error| {
            let message = format!("{} {}", path.display(), error.describe());
            ChooseError::Unusable(Problem::configuration(message).next(error.next_step()))
        })
}

fn parsed<'a>(der: &'a CertificateDer) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

fn is_self_issued(der: &CertificateDer) -> bool {
    parsed(der).is_some_and(|one| one.subject().as_raw() == one.issuer().as_raw())
}

/// Returns whether a path through this certificate would prove nothing although it could have ended at an anchor: the certificate is a root
/// that is not configured, or another certificate for an anchor's key (an old CA's key certified by the new CA, RFC 7030, 4.1.3).
fn leads_past(der: &CertificateDer, anchors: &[CertificateDer<'static>]) -> bool {
    let Some(one) = parsed(der) else { return false };
    let has_key_of =
        |anchor: &CertificateDer| parsed(anchor).is_some_and(|anchor| anchor.public_key().raw == one.public_key().raw);
    is_self_issued(der) || anchors.iter().any(has_key_of)
}

fn lacks_client_auth(der: &CertificateDer) -> bool {
    parsed(der).is_none_or(|one| match one.extended_key_usage() {
        Ok(Some(usage)) => !usage.value.client_auth && !usage.value.any,
        Ok(None) => false,
        Err(_) => true,
    })
}

#[cfg(test)]
mod tests;
