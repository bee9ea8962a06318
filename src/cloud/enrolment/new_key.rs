//! Makes or finds the key of the next certificate in the token, and its signing request.

use std::path::PathBuf;

use log::Level;
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject as _;

use super::failure::{Failure, FailureKind};
use super::next_key::{NextKeyFile, NextKeyRecord, Plan, next_key_file, plan};
use super::record::StoredProblem;
use crate::config::{Config, RenewKey, Subject};
use crate::event::{Event, journal};
use crate::identity::{TokenKey, has_certificate_for, is_current, sign_request};
use crate::problem::Problem;
use crate::token::{FoundKey, NamedKey, Token, TokenError};

/// Where the keys of certificates come from.
pub(super) struct KeyRenewal {
    token: Token,
    first: NamedKey,
    second: Option<NamedKey>,
    is_wanted: bool,
    /// The module, for the command that deletes a key.
    module: PathBuf,
    /// The certificate that AWS accepted last.
    last_accepted: PathBuf,
    subject: Subject,
    file: NextKeyFile,
}

/// The key of the next certificate, and the signing request for it.
pub(super) struct NextKey {
    pub(super) key: TokenKey,
    pub(super) csr: CertificateSigningRequestDer<'static>,
}

impl KeyRenewal {
    pub(super) fn new(config: &Config, token: Token) -> Self {
        Self {
            token,
            first: config.token.device_key(),
            second: config.token.second_key(),
            is_wanted: config.enrolment.renew_key == RenewKey::New,
            module: config.token.module.clone(),
            last_accepted: config.folders.state.join("proven.pem"),
            subject: config.identity.subject.clone(),
            file: next_key_file(config.folders.state.join("next-key.json")),
        }
    }

    /// Returns why the last renewal kept the key, where a new one was wanted.
    pub(super) fn obstacle(&self) -> Option<Problem> {
        let file = Some(&self.file).filter(|_| self.is_wanted)?;
        let record = file.read()?;
        record.obstacle.as_ref().map(StoredProblem::problem)
    }

    /// Ends the record of a key whose certificate AWS has accepted.
    pub(super) fn finish(&self, key: &FoundKey) {
        let is_about = |record: &NextKeyRecord| record.uri == key.name.uri.to_string();
        let is_accepted = || has_certificate_for(&self.last_accepted, &key.public.subject_public_key_info());
        if self.file.read().is_some_and(|record| is_about(&record)) && is_accepted() {
            self.file.remove();
        }
    }

    /// Returns the key of the next certificate, which is made if need be. `None` if the key `current` is to be kept: a certificate that
    /// ends is worse than a key that stays.
    ///
    /// # Errors
    /// If the token does not answer now.
    pub(super) async fn prepare(&self, current: &FoundKey) -> Result<Option<NextKey>, Failure> {
        let Some(second) = self.second.as_ref().filter(|_| self.is_wanted) else {
            return Ok(None);
        };
        self.finish(current);
        let free = match current.name.uri == second.uri {
            true => &self.first,
            false => second,
        };
        let uri = free.uri.to_string();
        let found = self.token.look_for(free.clone()).or_else(|error| self.keep(error))?;
        let record = self.file.read();
        let info = found.as_ref().map(|found| found.public.subject_public_key_info());
        let found = match plan(record.as_ref(), &uri, info.as_deref()) {
            Plan::Use => found,
            Plan::Occupied => {
                self.record_obstacle(&self.occupied(free, info.as_deref()));
                return Ok(None);
            }
            Plan::Generate => {
                self.file.write(&NextKeyRecord::intention(&uri));
                self.generate(free, current).await.or_else(|error| self.keep(error))?
            }
        };
        let Some(found) = found else { return Ok(None) };
        let record = self.file.read().filter(|record| record.uri == uri);
        let record = record.unwrap_or_else(|| NextKeyRecord::intention(&uri));
        let record = record.made(&found.public.subject_public_key_info());
        self.file.write(&record);
        let key = TokenKey::new(self.token.clone(), found);
        Ok(Some(NextKey {
            csr: self.request(&key, record)?,
            key,
        }))
    }

    async fn generate(&self, name: &NamedKey, current: &FoundKey) -> Result<Option<FoundKey>, TokenError> {
        let (token, name, algorithm) = (self.token.clone(), name.clone(), current.public.algorithm);
        // A TPM may take minutes for an RSA key.
        let made = tokio::task::spawn_blocking(move || token.generate(name, algorithm)).await;
        made.unwrap_or_else(|_| {
            Err(TokenError::Device(Problem::wait(
                "the key was not made: its thread has ended",
            )))
        })
        .map(Some)
    }

    /// Returns the request on record if it is for this key and subject, or else makes one.
    fn request(&self, key: &TokenKey, record: NextKeyRecord) -> Result<CertificateSigningRequestDer<'static>, Failure> {
        let known = record.request.clone().filter(|pem| is_current(pem, &self.subject, key));
        let pem = match known {
            Some(pem) => pem,
            None => {
                let made = sign_request(&self.subject, key);
                let pem = made.map_err(|problem| Failure::new(FailureKind::Unreachable, problem))?;
                self.file.write(&NextKeyRecord {
                    request: Some(pem.clone()),
                    ..record
                });
                pem
            }
        };
        CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| Failure::not_ready("the signing request for the new key cannot be read"))
    }

    /// Keeps the key in use where the token does not allow another one. A token that is away is waited for.
    fn keep(&self, error: TokenError) -> Result<Option<FoundKey>, Failure> {
        match error {
            TokenError::Absent(problem) | TokenError::Device(problem) => {
                Err(Failure::new(FailureKind::Unreachable, problem))
            }
            TokenError::Final(_, problem) => {
                let message = format!(
                    "the certificate keeps its key, although a new one was wanted: {}",
                    problem.message
                );
                let step = problem
                    .next_step
                    .unwrap_or_else(|| "set enrolment.renew-key to \"keep\"".to_owned());
                let problem = Problem::configuration(message).next(step);
                self.record_obstacle(&problem);
                Ok(None)
            }
        }
    }

    fn record_obstacle(&self, problem: &Problem) {
        journal!(Level::Warn, Event::KeyKept; "enrolment: {problem}");
        self.file.write(&NextKeyRecord::kept(problem));
    }

    fn occupied(&self, name: &NamedKey, key_info: Option<&[u8]>) -> Problem {
        let label = name.uri.object().unwrap_or_default();
        let message = format!(
            "the certificate keeps its key, although a new one was wanted: the token still has an older key \"{label}\", and gatepost \
             deletes no key"
        );
        if key_info.is_some_and(|info| has_certificate_for(&self.last_accepted, info)) {
            return Problem::configuration(message).next(
                "AWS has accepted no certificate since the one of that key: find out why it does not accept the newest one, and do not \
                 delete the key",
            );
        }
        let module = self.module.display();
        Problem::configuration(message).next(format!(
            "make sure that `gatepost certificate` names another key, then delete that one: pkcs11-tool --module {module} --login \
             --delete-object --type privkey --label {label}, and the same with --type pubkey; then: systemctl restart gatepost (some \
             modules notice it only then) && gatepost renew"
        ))
    }
}
