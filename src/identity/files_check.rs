//! Checks the files of certificates without the key, for `gatepostd --check-config`.

use std::path::Path;
use std::time::SystemTime;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::bootstrap_certificate::{self, BootstrapCertificate, CLAIM_NAMES};
use super::certificate::{Certificate, Source};
use super::error::CertificateError;
use super::validity::to_unix_seconds;
use super::{roots, usage};
use crate::clock::{Clock, is_set};
use crate::config::{ClaimConfig, Config, EstConfig};
use crate::pem_file::{self, Content, ReadError};
use crate::problem::Problem;
use crate::token::NamedKey;

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
        found.faults.push(error.to_problem(message, error.next_step()));
    }
    if let Some(name) = config.enrolment.est().and_then(EstConfig::bootstrap_key) {
        examine_bootstrap(&name, config, clock, &mut found);
    }
    if let Some(name) = config.enrolment.claim().and_then(ClaimConfig::named_key) {
        examine_bootstrap(&name, config, clock, &mut found);
    }
    if let Some(claim) = config.enrolment.claim() {
        let (faults, warnings) = examine_claim(claim, config, clock);
        found.faults.extend(faults);
        found.warnings.extend(warnings);
    }
    let source = Source::from(&config.identity);
    if let Some(path) = source.ca_chain
        && let Err(error) = pem_file::read(path)
    {
        let message = format!("identity.ca-chain: {} {}", path.display(), error.describe());
        found.faults.push(error.to_problem(message, error.next_step()));
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

/// Checks a certificate whose key is in the token. It may be removed once there is a certificate.
fn examine_bootstrap(name: &NamedKey, config: &Config, clock: &dyn Clock, found: &mut Examined) {
    let is_enrolled = config.identity.certificate.exists();
    if is_enrolled && !name.certificate.exists() {
        return;
    }
    let now = is_set(clock).then(|| clock.aws_now());
    match bootstrap_certificate::examine_certificate(name, now.unwrap_or(SystemTime::UNIX_EPOCH)) {
        Ok(expired) => found.warnings.extend(expired),
        Err(problem) if is_enrolled => found.warnings.push(problem),
        Err(problem) => found.faults.push(problem),
    }
}

/// Checks the claim certificate and its key file, which may be removed once there is a certificate.
fn examine_claim(claim: &ClaimConfig, config: &Config, clock: &dyn Clock) -> (Option<Problem>, Option<Problem>) {
    let Some(key) = claim
        .key_path(&config.folders)
        .filter(|key| key.exists() || claim.key_file.is_some())
    else {
        return (None, None);
    };
    let is_enrolled = config.identity.certificate.exists();
    if !key.exists() && is_enrolled {
        return (None, None);
    }
    match BootstrapCertificate::load(&claim.certificate, &key, CLAIM_NAMES) {
        Err(problem) if is_enrolled => (None, Some(problem)),
        Err(problem) => (Some(problem), None),
        Ok(_) if !is_set(clock) => (None, None),
        Ok(loaded) => (None, loaded.expired(clock.aws_now(), "the claim certificate")),
    }
}

/// Returns whether the file is a private key without a certificate.
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
