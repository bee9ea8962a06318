//! Finds the device's certificate among others: by the token's key, or without it by what is no CA's.

use std::path::Path;

use x509_parser::certificate::X509Certificate;

use super::chain;
use super::error::{CertificateError, unusable};
use super::name::describe;

/// The place of the device's certificate among those of its file and of the CAs'.
///
/// The public keys are compared as bytes: rustls-webpki would refuse the X.509 v1 certificates that the AWS article's own
/// `openssl x509 -req` makes. Of several for our key, the one that is valid longest is the newest. Without a key, a CA of the first
/// X.509 version is told from a device by what it has issued.
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
                others.any(|(_, certificate)| chain::issued(certificate, ca))
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
        // That a CA's key is not ours goes without saying; that it is a CA does not.
        (None, Some(first)) if first.is_ca() => Err(begins_with_ca(path, first)),
        (None, _) => Err(unusable(
            path,
            "is for another key than the one in the token",
            "have the signing request device.csr signed (`gatepost csr` prints it)",
        )),
    }
}

fn begins_with_ca(path: &Path, first: &X509Certificate) -> CertificateError {
    unusable(
        path,
        &format!("begins with a CA certificate ({})", describe(first.subject())),
        "put the device certificate there; CA certificates belong into identity.ca-chain",
    )
}
