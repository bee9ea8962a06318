//! The steps that all methods share: the signing request, the installed certificate, and its replacement by the new one.

use std::path::PathBuf;
use std::time::Duration;

use log::Level;
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject as _;

use super::choose::{ChooseError, Expected, choose};
use super::failure::Failure;
use super::installed::{InstalledCertificate, installed};
use super::method::Issued;
use crate::atomic_file;
use crate::clock::{SharedClock, rfc3339};
use crate::config::{Config, IdentityConfig};
use crate::event::{Event, journal};
use crate::identity::{Identity, Offered, choose_key, key_of_request, request_path};
use crate::problem::Problem;
use crate::token::FoundKey;

/// Interval between checks of a certificate that becomes valid soon.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of checks. Certificates that become valid within five minutes are waited for, which takes fewer.
const MAX_CHECKS: u32 = 400;

/// The files of the identity, as enrolment uses them.
pub(super) struct Installation {
    config: IdentityConfig,
    request_path: PathBuf,
    clock: SharedClock,
}

/// The certificate that was asked for.
pub(super) struct Wanted<'a> {
    /// Its public key, as SubjectPublicKeyInfo.
    pub(super) key_info: &'a [u8],
    /// The installed certificate.
    pub(super) installed: Option<&'a InstalledCertificate>,
    /// The identity in use.
    pub(super) in_use: Option<&'a Identity>,
}

impl Installation {
    pub(super) fn new(config: &Config, clock: SharedClock) -> Self {
        Self {
            config: config.identity.clone(),
            request_path: request_path(&config.folders),
            clock,
        }
    }

    /// Returns the signing request of the identity's task, if it is for this key.
    pub(super) fn signing_request(&self, key_info: &[u8]) -> Option<CertificateSigningRequestDer<'static>> {
        let text = std::fs::read(&self.request_path).ok()?;
        let request = CertificateSigningRequestDer::from_pem_slice(&text).ok()?;
        (key_of_request(&text)? == key_info).then_some(request)
    }

    /// Returns the key that the installed certificate is for, or the first one.
    pub(super) fn current_key(&self, keys: &[FoundKey]) -> Option<FoundKey> {
        choose_key(&self.config.certificate, keys).cloned()
    }

    /// Returns the installed certificate for this key.
    pub(super) fn installed(&self, key_info: &[u8]) -> Option<InstalledCertificate> {
        installed(&self.config, key_info)
    }

    /// Finds the requested certificate, waits until it is valid, and installs it. `issuer` is the issuer's name in messages.
    ///
    /// # Errors
    /// If none of the certificates can be used, or the file cannot be written.
    pub(super) async fn install(&self, issued: &Issued, wanted: &Wanted<'_>, issuer: &str) -> Result<Offered, Failure> {
        let offered = self.choose(issued, wanted, issuer).await?;
        if let (Some(file), Some(name)) = (&self.config.assigned_name, &issued.thing_name) {
            file.write(name).map_err(|error| {
                let message = format!("the thing name that {issuer} has assigned cannot be stored: {error}");
                Failure::refused(
                    Problem::configuration(message).next("check the owner and free space of the state folder"),
                )
            })?;
        }
        let path = &self.config.certificate;
        atomic_file::replace(path, offered.pem.as_bytes()).map_err(|error| {
            let message = format!("the new certificate cannot be written to {}: {error}", path.display());
            Failure::refused(Problem::configuration(message).next("check the folder's owner and free space"))
        })?;
        let certificate = &offered.certificate;
        journal!(
            Level::Info, Event::CertificateEnrolled, THING_NAME = certificate.thing_name.as_str();
            "enrolment: {issuer} has issued certificate {} for {}, valid until {}",
            certificate.id, certificate.thing_name, rfc3339(certificate.not_after)
        );
        Ok(offered)
    }

    async fn choose(&self, issued: &Issued, wanted: &Wanted<'_>, issuer: &str) -> Result<Offered, Failure> {
        let in_use = wanted.in_use.map(|identity| &identity.certificate.thing_name);
        // A gateway that has a name keeps it. Otherwise an issuer that assigns names decides.
        let known = self
            .config
            .thing_name
            .as_ref()
            .or(in_use)
            .or(issued.thing_name.as_ref());
        let config = IdentityConfig {
            thing_name: issued.thing_name.clone().or_else(|| self.config.thing_name.clone()),
            assigned_name: None,
            ..self.config.clone()
        };
        let expected = Expected {
            server: issuer,
            key_info: wanted.key_info,
            thing_name: known.unwrap_or(&self.config.subject.common_name),
            renewed: wanted.installed.map(|found| found.id.as_str()),
        };
        let mut checks = 0;
        loop {
            match choose(
                &issued.certificates,
                &issued.published,
                &expected,
                &config,
                &*self.clock,
            ) {
                Ok(offered) => return Ok(offered),
                Err(ChooseError::Soon(_)) if checks < MAX_CHECKS => {
                    checks += 1;
                    tokio::time::sleep(CHECK_INTERVAL).await;
                }
                Err(ChooseError::Soon(problem) | ChooseError::Unusable(problem)) => {
                    return Err(Failure::refused(problem));
                }
            }
        }
    }
}
