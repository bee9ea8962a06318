//! Checks the bootstrap or claim certificate and its key, while no daemon is running.

use std::path::Path;
use std::time::SystemTime;

use super::lines::BOOTSTRAP;
use super::report::Report;
use crate::clock::{SharedClock, is_set, rfc3339};
use crate::config::{ClaimConfig, Config, EstConfig};
use crate::identity::{BootstrapCertificate, BootstrapFacts, CLAIM_NAMES};
use crate::overview::{Expiry, remaining_text};
use crate::problem::Problem;
use crate::token::{NamedKey, PublicKey, TokenError};

/// Returns the name of the bootstrap certificate's key, if that is in the token.
pub fn key_in_token(config: &Config) -> Option<NamedKey> {
    let est = config.enrolment.est().and_then(EstConfig::bootstrap_key);
    est.or_else(|| config.enrolment.claim().and_then(ClaimConfig::named_key))
}

/// Reports whether the certificate belongs to its key and is valid. `key` is the key in the token, if the token was examined.
pub fn check(config: &Config, key: Option<&Result<PublicKey, TokenError>>, clock: &SharedClock, report: &mut Report) {
    let Some((path, setting)) = certificate(config) else {
        return;
    };
    let is_enrolled = config.identity.certificate.exists();
    if is_enrolled && !path.exists() {
        let message = format!("{} is not there, and is needed only {}", path.display(), need(config));
        return report.ok(BOOTSTRAP, message);
    }
    let facts = match (key_in_token(config), config.enrolment.claim()) {
        (Some(name), _) => match key {
            None => return report.skip(BOOTSTRAP, "because of the failure above"),
            Some(Err(error)) => Err(error.problem().clone()),
            Some(Ok(key)) => BootstrapFacts::read(&name, &key.subject_public_key_info()),
        },
        (None, Some(claim)) => match claim.key_path(&config.folders) {
            None => {
                return report.skip(
                    BOOTSTRAP,
                    "systemd passes the claim certificate's key only to the service",
                );
            }
            Some(file) => BootstrapCertificate::load(&path, &file, CLAIM_NAMES)
                .and_then(|pair| BootstrapFacts::of_pair(&pair, &path).ok_or_else(|| unreadable(&path, setting))),
        },
        (None, None) => return,
    };
    let now = is_set(&**clock).then(|| clock.aws_now());
    let judged = facts.and_then(|facts| judge(&facts, &path, setting, need(config), now));
    match judged {
        Ok(Verdict::Good(message)) => report.ok(BOOTSTRAP, message),
        Ok(Verdict::EndsSoon(problem)) => report.warn(BOOTSTRAP, &problem),
        // The certificate in use is not affected, nor is a first request that is proven by a secret.
        Err(problem) if is_enrolled || has_secret(config) => report.warn(BOOTSTRAP, &problem),
        Err(problem) => report.failed(BOOTSTRAP, &problem),
    }
}

/// A certificate that can be used.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good(String),
    EndsSoon(Problem),
}

/// Returns the certificate's file, and the configuration key that names it.
fn certificate(config: &Config) -> Option<(std::path::PathBuf, &'static str)> {
    match (key_in_token(config), config.enrolment.claim()) {
        (Some(name), _) => Some((name.certificate, name.certificate_setting)),
        (None, claim) => Some((claim?.certificate.clone(), CLAIM_NAMES.certificate)),
    }
}

/// Says when the certificate is needed once more.
fn need(config: &Config) -> &'static str {
    match config.enrolment.claim() {
        Some(_) => "for the next certificate",
        None => "for another certificate once the one in use has expired",
    }
}

fn has_secret(config: &Config) -> bool {
    let secret = config.enrolment.est().and_then(|est| est.secret_file.as_ref());
    secret.is_some_and(|path| path.exists())
}

/// Judges a certificate that belongs to its key. Without a time, its validity is not judged.
fn judge(
    facts: &BootstrapFacts,
    path: &Path,
    setting: &str,
    need: &str,
    now: Option<SystemTime>,
) -> Result<Verdict, Problem> {
    if let Some(problem) = Problem::joined(facts.usage_faults.clone()) {
        return Err(problem);
    }
    let BootstrapFacts { subject, issuer, .. } = facts;
    let named = format!("{subject}, issued by {issuer}; it belongs to its key");
    let (from, end) = (facts.not_before, facts.not_after);
    let replace = format!(
        "have {issuer} issue another certificate for the same key, and put it at {} ({setting})",
        path.display()
    );
    let Some(now) = now else {
        return Ok(Verdict::Good(format!(
            "{named}; whether it is valid is known once the clock is set"
        )));
    };
    if now < from {
        let message = format!("{} is valid only from {} on", path.display(), rfc3339(from));
        return Err(
            Problem::configuration(message).next(format!("check the clock (timedatectl); if it is right, {replace}"))
        );
    }
    let (end_text, left) = (rfc3339(end), remaining_text(now, end));
    match Expiry::at(now, from, end) {
        Expiry::Over => Err(Problem::configuration(format!("{} expired on {end_text}", path.display())).next(replace)),
        Expiry::Near | Expiry::Imminent => {
            let message = format!("{} ends at {end_text}, in {left}, and is needed {need}", path.display());
            Ok(Verdict::EndsSoon(Problem::configuration(message).next(replace)))
        }
        Expiry::Far => Ok(Verdict::Good(format!("{named}; it ends at {end_text}, in {left}"))),
    }
}

fn unreadable(path: &Path, setting: &str) -> Problem {
    Problem::configuration(format!("{setting}: {} cannot be read", path.display()))
        .next("put the certificate (PEM) there")
}

#[cfg(test)]
mod tests;
