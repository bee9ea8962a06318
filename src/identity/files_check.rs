//! Checks the files of certificates without the key, for `gatepostd --check-config`.

use std::path::Path;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::certificate::{Certificate, Source};
use super::error::CertificateError;
use super::validity::to_unix_seconds;
use super::{roots, usage};
use crate::clock::{Clock, is_set};
use crate::config::Config;
use crate::pem_file::{self, Content, ReadError};
use crate::problem::Problem;

/// The problems of the files.
#[derive(Debug, Default)]
pub struct Examined {
    /// Problems that prevent the use of the configuration.
    pub faults: Vec<Problem>,
    /// Problems of a certificate that may be replaced at any time, or that AWS will have with it.
    pub warnings: Vec<Problem>,
}

/// Checks root-ca, server-ca, ca-chain and the device certificate.
pub fn examine(config: &Config, clock: &dyn Clock) -> Examined {
    let mut found = Examined::default();
    let root_ca = config.aws.root_ca.as_deref();
    found.faults.extend(roots::load(root_ca).err());
    found.warnings.extend(root_ca.and_then(find_private_key));
    let now = is_set(clock).then(|| clock.aws_now());
    found
        .warnings
        .extend(root_ca.into_iter().flat_map(|path| roots::examine(path, now)));
    if let Some(est) = config.enrolment.est()
        && let Err(error) = pem_file::read(&est.server_ca)
    {
        let message = format!(
            "enrolment.est.server-ca: {} {}",
            est.server_ca.display(),
            error.describe()
        );
        found
            .faults
            .push(Problem::configuration(message).next(error.next_step()));
    }
    let source = Source::from(&config.identity);
    if let Some(path) = source.ca_chain
        && let Err(error) = pem_file::read(path)
    {
        let message = format!("identity.ca-chain: {} {}", path.display(), error.describe());
        found
            .faults
            .push(Problem::configuration(message).next(error.next_step()));
        return found;
    }
    match Certificate::load(&source, None, clock) {
        Ok(loaded) => found.warnings.extend(loaded.warning),
        Err(CertificateError::Missing) => found
            .warnings
            .extend(source.ca_chain.and_then(|path| check_unused_chain(path, clock))),
        // The path must be wrong, because a certificate would not replace a key.
        Err(CertificateError::Unusable(problem)) if is_private_key(&config.identity.certificate) => {
            found.faults.push(Problem {
                message: format!("identity.certificate: {}", problem.message),
                ..problem
            })
        }
        Err(CertificateError::NotYetValid(_, problem) | CertificateError::Unusable(problem)) => {
            found.warnings.push(problem)
        }
    }
    found
}

/// Whether the file is a private key without a certificate.
fn is_private_key(path: &Path) -> bool {
    matches!(
        pem_file::read(path),
        Err(ReadError::NoCertificates(Content::PrivateKey))
    )
}

/// Reports a private key beside the certificates.
fn find_private_key(path: &Path) -> Option<Problem> {
    let file = pem_file::read(path).ok().filter(|file| file.has_private_key)?;
    let content = Content::PrivateKey;
    let count = file.certificates.len();
    let message = format!("{} {content}, beside {count} certificates", path.display());
    Some(Problem::configuration(message).next(content.next_step()))
}

/// Checks the CA certificates before there is a device certificate. It is not known yet which CA will sign, so problems are
/// reported only if none of the certificates is good.
fn check_unused_chain(path: &Path, clock: &dyn Clock) -> Option<Problem> {
    let file = match pem_file::read(path) {
        Ok(file) => file,
        Err(_) => return None,
    };
    let now = is_set(clock).then(|| to_unix_seconds(clock.aws_now()));
    let mut all = Vec::new();
    for der in &file.certificates {
        let (_, ca) = X509Certificate::from_der(der).ok()?;
        match usage::check_ca(&ca, now) {
            faults if faults.is_empty() => return find_private_key(path),
            faults => all.extend(faults),
        }
    }
    Problem::joined(all.into_iter().chain(find_private_key(path)).collect())
}
