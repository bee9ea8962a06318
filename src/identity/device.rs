//! Finds the device's certificate among others, by the token's key, or else as one that is not a CA's.

use std::path::Path;

use x509_parser::certificate::X509Certificate;

use super::chain;
use super::error::{CertificateError, unusable};
use super::name::describe;

/// Returns the index of the device's certificate among all certificates.
///
/// The public keys are compared as bytes, because rustls-webpki refuses the X.509 v1 certificates that the `openssl x509 -req`
/// of an AWS article makes. Of several certificates for the key, the one with the latest end is the newest. Without a key, a CA
/// of X.509 v1 is recognised by the certificates that it has issued.
pub(super) fn find_device(
    path: &Path,
    parsed: &[X509Certificate],
    key_info: Option<&[u8]>,
) -> Result<usize, CertificateError> {
    let is_ours = |certificate: &X509Certificate| match key_info {
        Some(key_info) => certificate.public_key().raw == key_info,
        None => !certificate.is_ca(),
    };
    let ours = parsed
        .iter()
        .enumerate()
        .filter(|(_, certificate)| is_ours(certificate));
    let found = match key_info {
        Some(_) => ours.max_by_key(|(_, certificate)| certificate.validity().not_after.timestamp()),
        None => {
            let has_issued = |place: usize, ca: &X509Certificate| {
                let mut others = parsed.iter().enumerate().filter(|(other, _)| *other != place);
                others.any(|(_, certificate)| chain::has_issued(certificate, ca))
            };
            let first = ours.clone().next();
            ours.into_iter().find(|(place, one)| !has_issued(*place, one)).or(first)
        }
    };
    match (found, parsed.first()) {
        (Some((_, device)), _) if device.is_ca() => Err(unusable(
            path,
            "has a certificate for the key in the token that is marked as a CA's (basicConstraints CA:TRUE)",
            "have the signing request device.csr signed as a device's certificate, without CA:TRUE",
        )),
        (Some((place, _)), _) => Ok(place),
        // It is obvious that the key of a CA is another one, so the message says that this is a CA certificate.
        (None, Some(first)) if first.is_ca() => Err(report_ca(path, first)),
        (None, _) => Err(unusable(
            path,
            "is for another key than the one in the token",
            "have the signing request device.csr signed (`gatepost csr` prints it)",
        )),
    }
}

fn report_ca(path: &Path, first: &X509Certificate) -> CertificateError {
    unusable(
        path,
        &format!("begins with a CA certificate ({})", describe(first.subject())),
        "put the device certificate there; CA certificates belong in identity.ca-chain",
    )
}
