//! The method EST: prepares a request, sends it, judges what comes back, and puts it into its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::choose::{ChooseError, Expected, choose};
use super::client::{EstClient, server_roots};
use super::est::{Answer, Credential, Failure, FailureKind, Operation, Reply, interpret};
use super::installed::{InstalledCertificate, installed};
use super::secret::SecretFile;
use super::{Purpose, RequestAttributes, UnsignedRequest, pkcs7};
use crate::atomic_file;
use crate::clock::{SharedClock, rfc3339};
use crate::config::{Config, EstConfig, IdentityConfig};
use crate::event::{Event, journal};
use crate::identity::{
    Identity, IdentityReceiver, Offered, SendChain, client_config, key_of_request, request_path, server_config,
};
use crate::problem::Problem;

/// Between two looks at a certificate that begins in a moment.
const SOON: Duration = Duration::from_secs(1);
/// Certificates that begin within five minutes are waited for; so many looks are more than that.
const MAX_LOOKS: u32 = 400;

/// The method EST.
pub(super) struct EstMethod {
    est: EstConfig,
    identity_config: IdentityConfig,
    request_path: PathBuf,
    secret: SecretFile,
    clock: SharedClock,
    identity: IdentityReceiver,
}

/// The outcome of an attempt.
pub(super) enum Outcome {
    Issued(Box<Offered>),
    Wait(Duration),
    Failed(Failure),
}

/// A request that is ready to be sent.
pub(super) struct Prepared {
    operation: Operation,
    request: CertificateSigningRequestDer<'static>,
    key_info: Vec<u8>,
    thing_name: String,
    renewed: Option<String>,
    client: EstClient,
}

impl EstMethod {
    pub(super) fn new(est: &EstConfig, config: &Config, clock: SharedClock, identity: IdentityReceiver) -> Self {
        Self {
            secret: SecretFile::new(est.secret_file.as_deref(), config.folders.credentials.as_deref()),
            est: est.clone(),
            identity_config: config.identity.clone(),
            request_path: request_path(&config.folders),
            clock,
            identity,
        }
    }

    /// The credential for a certificate that no other one vouches for, if there is one.
    pub(super) fn bootstrap(&self) -> Option<Credential> {
        self.secret.exists().then_some(Credential::Secret)
    }

    /// The certificate for this key that is in its place.
    pub(super) fn installed(&self, key_info: &[u8]) -> Option<InstalledCertificate> {
        installed(&self.identity_config, key_info)
    }

    /// The request of the identity's task, and the public key that it is for.
    pub(super) fn request(&self) -> Option<(CertificateSigningRequestDer<'static>, Vec<u8>)> {
        let text = std::fs::read(&self.request_path).ok()?;
        let request = CertificateSigningRequestDer::from_pem_slice(&text).ok()?;
        Some((request, key_of_request(&text)?))
    }

    pub(super) fn prepare(
        &self,
        purpose: Purpose,
        installed: Option<&InstalledCertificate>,
    ) -> Result<Prepared, Failure> {
        let roots = server_roots(&self.est.server_ca)?;
        let (own_request, key_info) = self
            .request()
            .ok_or_else(|| not_ready("there is no signing request yet"))?;
        let no_tls = |error: rustls::Error| not_ready(&format!("no TLS: {}", crate::problem::with_causes(&error)));
        match purpose {
            Purpose::Renewal => {
                let in_use: Option<Arc<Identity>> = self.identity.borrow().clone();
                let (Some(identity), Some(installed)) = (in_use, installed) else {
                    return Err(not_ready("the certificate that is to be renewed is not in use yet"));
                };
                let tls = client_config(&identity, roots, SendChain::Full, &[], self.clock.clone()).map_err(no_tls)?;
                Ok(Prepared {
                    operation: Operation::Reenrol,
                    request: renewal_request(&identity, &key_info)?,
                    key_info,
                    thing_name: identity.certificate.thing_name.clone(),
                    renewed: Some(installed.id.clone()),
                    client: EstClient::new(&self.est.url, &tls, None)?,
                })
            }
            Purpose::First | Purpose::Replacement => {
                let tls = server_config(roots, self.clock.clone()).map_err(no_tls)?;
                let subject = &self.identity_config.subject.common_name;
                let secret = self.secret.read()?;
                let user = self.est.user.as_deref().unwrap_or(subject);
                Ok(Prepared {
                    operation: Operation::Enrol,
                    request: own_request,
                    key_info,
                    thing_name: self.identity_config.thing_name.as_ref().unwrap_or(subject).clone(),
                    renewed: installed.map(|found| found.id.clone()),
                    client: EstClient::new(&self.est.url, &tls, Some((user, &secret)))?,
                })
            }
        }
    }

    pub(super) async fn exchange(&self, prepared: &Prepared, credential: Credential) -> Outcome {
        match self.try_exchange(prepared, credential).await {
            Ok(outcome) => outcome,
            Err(failure) => Outcome::Failed(failure),
        }
    }

    async fn try_exchange(&self, prepared: &Prepared, credential: Credential) -> Result<Outcome, Failure> {
        let server = self.est.url.endpoint.to_string();
        let client = &prepared.client;
        if let Some(problem) = self.demands(client).await?.problem(&server) {
            return Err(Failure {
                kind: FailureKind::Refused,
                problem,
                not_before: None,
            });
        }
        let published = self.published(client).await?;
        let response = client.post(prepared.operation, &prepared.request).await?;
        let received = match interpret(prepared.operation, credential, &server, &response.answer()) {
            Reply::Certificates(received) => received,
            Reply::Wait(wait) => return Ok(Outcome::Wait(wait)),
            Reply::Failed(failure) => return Err(failure),
        };
        let expected = Expected {
            server: &server,
            key_info: &prepared.key_info,
            thing_name: &prepared.thing_name,
            renewed: prepared.renewed.as_deref(),
        };
        let mut looks = 0;
        loop {
            match choose(&received, &published, &expected, &self.identity_config, &*self.clock) {
                Ok(offered) => return Ok(Outcome::Issued(Box::new(offered))),
                Err(ChooseError::Soon(_)) if looks < MAX_LOOKS => {
                    looks += 1;
                    tokio::time::sleep(SOON).await;
                }
                Err(ChooseError::Soon(problem) | ChooseError::Unusable(problem)) => {
                    return Err(Failure {
                        kind: FailureKind::Refused,
                        problem,
                        not_before: None,
                    });
                }
            }
        }
    }

    /// Asks for the attributes that the server wants in a request. A server that does not answer wants none.
    async fn demands(&self, client: &EstClient) -> Result<RequestAttributes, Failure> {
        let response = client.get(Operation::RequestAttributes).await?;
        Ok(match response.answer() {
            Answer { status: 200, body, .. } => RequestAttributes::parse(body).unwrap_or_default(),
            _ => RequestAttributes::default(),
        })
    }

    /// The CA's certificates, which may connect a new CA with the one in identity.ca-chain. They are never trusted for themselves.
    async fn published(&self, client: &EstClient) -> Result<Vec<CertificateDer<'static>>, Failure> {
        if self.identity_config.ca_chain.is_none() {
            return Ok(Vec::new());
        }
        let response = client.get(Operation::CaCertificates).await?;
        Ok(match response.answer() {
            Answer { status: 200, body, .. } => pkcs7::certificates(body).unwrap_or_default(),
            _ => Vec::new(),
        })
    }

    pub(super) fn install(&self, offered: &Offered) -> Result<(), Failure> {
        let path: &Path = &self.identity_config.certificate;
        atomic_file::replace(path, offered.pem.as_bytes()).map_err(|error| Failure {
            kind: FailureKind::Refused,
            problem: Problem::configuration(format!(
                "the new certificate cannot be written to {}: {error}",
                path.display()
            ))
            .next("check the folder's owner and free space"),
            not_before: None,
        })?;
        let certificate = &offered.certificate;
        journal!(
            Level::Info, Event::CertificateEnrolled, THING_NAME = certificate.thing_name.as_str();
            "enrolment: {} has issued certificate {} for {}, valid until {}",
            self.est.url.endpoint, certificate.id, certificate.thing_name, rfc3339(certificate.not_after)
        );
        Ok(())
    }
}

fn renewal_request(identity: &Identity, key_info: &[u8]) -> Result<CertificateSigningRequestDer<'static>, Failure> {
    let unsigned = UnsignedRequest::like(&identity.certificate.leaf, key_info)
        .ok_or_else(|| not_ready("the certificate in use cannot be read"))?;
    let signature = identity
        .key
        .sign_request(unsigned.to_be_signed())
        .map_err(|error| Failure {
            kind: FailureKind::Unreachable,
            problem: error.problem().clone(),
            not_before: None,
        })?;
    Ok(unsigned.signed(identity.key.public().algorithm, &signature))
}

fn not_ready(what: &str) -> Failure {
    Failure {
        kind: FailureKind::Unreachable,
        problem: Problem::wait(what),
        not_before: None,
    }
}
