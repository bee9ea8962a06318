//! Finds faults for which AWS will refuse a certificate or a CA certificate, although its file can be used.

use std::path::Path;

use x509_parser::certificate::X509Certificate;

use super::chain::{UnverifiedStep, is_valid};
use super::extensions;
use super::name::describe;
use super::signature::{MIN_RSA_BITS, find_refused_algorithm, has_accepted_kind_of_key, rsa_bits};
use super::validity::to_system_time;
use crate::clock::rfc3339;
use crate::problem::Problem;

/// Finds the faults of a device certificate that prevent its use by a TLS client.
pub(super) fn check_device(path: &Path, device: &X509Certificate) -> Vec<Problem> {
    let mut found = check_client_usage(path, device);
    found.extend(extensions::find_faults(device).into_iter().map(|fault| {
        Problem::configuration(format!("{} {fault}", path.display()))
            .next("have the request signed again without that extension, or with it once and not critical")
    }));
    found
}

/// Finds the extensions by which a certificate is not for TLS clients.
pub(super) fn check_client_usage(path: &Path, device: &X509Certificate) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut warn = |what: &str| {
        let message = format!("{} {what}", path.display());
        found.push(Problem::configuration(message).next(
            "have the request signed again as a TLS client's certificate: extended key usage clientAuth, key usage \
             digitalSignature, or neither extension",
        ));
    };
    match device.extended_key_usage() {
        Ok(Some(usage)) if !usage.value.client_auth && !usage.value.any => {
            warn("is not for TLS clients: its extended key usage lacks clientAuth");
        }
        Err(_) => warn("has its extended key usage twice, or damaged"),
        Ok(_) => {}
    }
    match device.key_usage() {
        Ok(Some(usage)) if !usage.value.digital_signature() => {
            warn("is not for signing: its key usage lacks digitalSignature, without which no TLS handshake succeeds");
        }
        Err(_) => warn("has its key usage twice, or damaged"),
        Ok(_) => {}
    }
    found
}

/// Reports a step of the path that is based on names, because a CA with the same name and another key would look the same. AWS IoT
/// accepts some of these signatures, such as those of a CA with an EC P-521 key, so it may not be a fault.
pub(super) fn report_unverified(path: &Path, step: &UnverifiedStep) -> Problem {
    let UnverifiedStep {
        subject,
        issuer,
        signature,
    } = step;
    Problem::wait(format!(
        "{}: gatepost cannot verify the signature of {subject} ({signature}); that {issuer} has made it is concluded from the \
         names alone",
        path.display()
    ))
    .next(
        "verify it once: openssl verify -partial_chain -CAfile with the file of CA certificates, and the device certificate; a \
         CA with an EC P-256 key or RSA 2048, and SHA-256, is verified by gatepost itself",
    )
}

/// Finds the faults of a CA certificate in the path. Without a time, its validity is not checked.
pub(super) fn check_ca(ca: &X509Certificate, now: Option<i64>) -> Vec<Problem> {
    let mut found = Vec::new();
    let name = describe(ca.subject());
    let mut warn = |what: String, step: &str| {
        found.push(Problem::configuration(format!("the CA certificate {name} {what}")).next(step));
    };
    if let Some(now) = now.filter(|now| !is_valid(ca, *now)) {
        let validity = ca.validity();
        let (from, until) = (
            to_system_time(validity.not_before.timestamp()),
            to_system_time(validity.not_after.timestamp()),
        );
        let what = match validity.not_after.timestamp() < now {
            true => format!("expired on {}: AWS IoT registers no device by it", rfc3339(until)),
            false => format!(
                "is valid only from {} on: AWS IoT registers no device by it before",
                rfc3339(from)
            ),
        };
        warn(
            what,
            "register a CA that is valid now, and put its certificate into identity.ca-chain",
        );
    }
    if !ca.is_ca() {
        warn(
            "is not marked as a CA's (basicConstraints CA:TRUE): AWS IoT does not register it".to_owned(),
            "reissue the CA certificate with basicConstraints = critical, CA:TRUE",
        );
    }
    if ca
        .key_usage()
        .is_ok_and(|usage| usage.is_some_and(|usage| !usage.value.key_cert_sign()))
    {
        warn(
            "may not sign certificates: its key usage lacks keyCertSign".to_owned(),
            "reissue the CA certificate with keyUsage = critical, keyCertSign, cRLSign",
        );
    }
    if let Some(bits) = rsa_bits(ca).filter(|bits| *bits < MIN_RSA_BITS) {
        warn(
            format!("has an RSA key of {bits} bits, which is too small for AWS IoT"),
            "make a CA with an EC P-256 key, or RSA with 2048 bits or more",
        );
    }
    if !has_accepted_kind_of_key(ca) {
        warn(
            "has a key that AWS IoT does not accept: it is neither RSA nor EC on P-256, P-384 or P-521".to_owned(),
            "make a CA with an EC P-256 key, or RSA with 2048 bits or more",
        );
    }
    for fault in extensions::find_faults(ca) {
        warn(
            fault,
            "reissue the CA certificate without that extension, or with it once and not critical",
        );
    }
    // Nobody verifies the signature of a root.
    if let Some(algorithm) = find_refused_algorithm(ca).filter(|_| ca.subject().as_raw() != ca.issuer().as_raw()) {
        warn(
            format!("is signed with {algorithm}, which AWS IoT does not accept"),
            "have the CA's certificate signed again with SHA-256",
        );
    }
    found
}
