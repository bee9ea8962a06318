//! The root certificates that verify AWS's servers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::RootCertStore;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::chain::is_valid;
use super::name::describe;
use super::validity::{to_system_time, to_unix_seconds};
use crate::clock::rfc3339;
use crate::pem_file::{self, Content, ReadError};
use crate::problem::Problem;

/// The folder of single root certificates in Debian's ca-certificates.
const DEBIAN_FOLDER: &str = "/etc/ssl/certs";
/// The roots under which AWS IoT's endpoints chain: Amazon's own four, and Starfield's, which cross-signed them (AWS IoT
/// developer guide, "Server authentication"). All are trusted, because AWS moves endpoints between them.
const AMAZON_ROOTS: [&str; 5] = [
    "Amazon_Root_CA_1.pem",
    "Amazon_Root_CA_2.pem",
    "Amazon_Root_CA_3.pem",
    "Amazon_Root_CA_4.pem",
    "Starfield_Services_Root_Certificate_Authority_-_G2.pem",
];

/// The highest number of certificates that are reported.
const MAX_NAMED: usize = 4;

/// Loads the roots in `root_ca`, or the Amazon roots in Debian's ca-certificates.
///
/// # Errors
/// If a file has no certificate in it, or the system has no Amazon root.
pub fn load(root_ca: Option<&Path>) -> Result<Arc<RootCertStore>, Problem> {
    let mut store = RootCertStore::empty();
    match root_ca {
        Some(path) => add(&mut store, path).map_err(|error| {
            let message = format!("aws.root-ca: {} {}", path.display(), error.describe());
            let step = "give a PEM file of root certificates, or leave aws.root-ca out to trust Amazon's";
            error.to_problem(message, format!("{step}; {}", error.next_step()))
        })?,
        None => {
            for name in AMAZON_ROOTS {
                // Debian may add or remove single roots. Only having none at all is a problem.
                let _ = add(&mut store, &PathBuf::from(DEBIAN_FOLDER).join(name));
            }
        }
    }
    match store.is_empty() {
        false => Ok(Arc::new(store)),
        true => Err(
            Problem::configuration(format!("aws.root-ca: no Amazon root certificate in {DEBIAN_FOLDER}"))
                .next("install Debian's package ca-certificates, or set aws.root-ca"),
        ),
    }
}

/// Finds certificates in `root_ca` that cannot verify a server, because rustls checks neither their purpose nor their validity.
/// If there are good roots as well, only certificates that are not CA certificates are reported. Without a time, the validity
/// is not checked.
pub fn examine(root_ca: &Path, now: Option<SystemTime>) -> Vec<Problem> {
    let Ok(file) = pem_file::read(root_ca) else {
        return Vec::new();
    };
    let now = now.map(to_unix_seconds);
    let parsed = file
        .certificates
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok());
    let parsed: Vec<_> = parsed.map(|(_, certificate)| certificate).collect();
    let found: Vec<(&X509Certificate, String)> = parsed
        .iter()
        .filter_map(|certificate| Some((certificate, find_fault(certificate, now)?)))
        .collect();
    let has_good_one = found.len() < parsed.len();
    found
        .into_iter()
        .filter(|(certificate, _)| !has_good_one || !is_root(certificate))
        .take(MAX_NAMED)
        .map(|(certificate, fault)| {
            let name = describe(certificate.subject());
            Problem::configuration(format!("aws.root-ca: {} has {name}, which {fault}", root_ca.display())).next(
                "put the certificate of the CA that has issued the server's there, or leave aws.root-ca out to trust Amazon's",
            )
        })
        .collect()
}

/// Returns whether a certificate may be a root, by its basic constraints, or because it is of X.509 v1, which has none.
fn is_root(certificate: &X509Certificate) -> bool {
    let is_own_issuer = certificate.subject().as_raw() == certificate.issuer().as_raw();
    certificate.is_ca() || (certificate.version().0 == 0 && is_own_issuer)
}

/// Describes why a certificate cannot verify a server.
fn find_fault(certificate: &X509Certificate, now: Option<i64>) -> Option<String> {
    if !is_root(certificate) {
        return Some("is not a CA certificate (basicConstraints CA:TRUE)".to_owned());
    }
    let usage = certificate.key_usage().ok().flatten();
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Some("may not sign certificates: its key usage lacks keyCertSign".to_owned());
    }
    let validity = certificate.validity();
    let now = now.filter(|now| !is_valid(certificate, *now))?;
    Some(match validity.not_after.timestamp() < now {
        true => format!("expired on {}", rfc3339(to_system_time(validity.not_after.timestamp()))),
        false => format!(
            "is valid only from {} on",
            rfc3339(to_system_time(validity.not_before.timestamp()))
        ),
    })
}

fn add(store: &mut RootCertStore, path: &Path) -> Result<(), ReadError> {
    let file = pem_file::read(path)?;
    for (index, certificate) in file.certificates.into_iter().enumerate() {
        store
            .add(certificate)
            .map_err(|_| ReadError::NoCertificates(Content::NotX509(index + 1)))?;
    }
    Ok(())
}
