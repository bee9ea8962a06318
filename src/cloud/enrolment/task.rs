//! The task of enrolment: asks the EST server when the state machine says so, and puts the certificate into its place.
//!
//! From there on it goes the way of any certificate file: the identity's task takes it, and a renewed one is proven on a connection
//! of its own before it replaces the one in use.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use log::Level;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use tokio::sync::watch;

use super::choose::{ChooseError, Expected, choose};
use super::client::{EstClient, server_roots};
use super::est::{Answer, Credential, Failure, FailureKind, Operation, Reply, interpret};
use super::installed::{InstalledCertificate, installed};
use super::secret::SecretFile;
use super::{Enrolment, Purpose, RequestAttributes, Situation, Step, UnsignedRequest, pkcs7};
use crate::atomic_file;
use crate::clock::{SharedClock, is_set, rfc3339};
use crate::config::{Config, EstConfig, IdentityConfig};
use crate::event::{Event, journal};
use crate::identity::{
    Identity, IdentityReceiver, Offered, SendChain, client_config, key_of_request, request_path, server_config,
};
use crate::problem::{Problem, Remedy};
use crate::status::{IdentityPart, IdentityPhase};

/// Timers stand still while the machine sleeps, so a far-off renewal is looked at again this often.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);
/// Between two looks at a certificate that begins in a moment.
const SOON: Duration = Duration::from_secs(1);
/// Certificates that begin within five minutes are waited for; so many looks are more than that.
const MAX_LOOKS: u32 = 400;
/// Between a certificate that was issued and the next request, whatever its validity says.
const PAUSE_AFTER_ISSUE: Duration = Duration::from_secs(5);

/// The parts of the task.
pub struct EnrolmentTask {
    est: EstConfig,
    identity_config: IdentityConfig,
    request_path: PathBuf,
    secret: SecretFile,
    clock: SharedClock,
    steps: watch::Receiver<u64>,
    identity: IdentityReceiver,
    identity_part: watch::Receiver<IdentityPart>,
    machine: Enrolment,
    problem: watch::Sender<Option<Problem>>,
}

/// What came of an attempt.
enum Outcome {
    Issued(Box<Offered>),
    Wait(Duration),
    Failed(Failure),
}

/// A request that is ready to be sent.
struct Prepared {
    operation: Operation,
    request: CertificateSigningRequestDer<'static>,
    key_info: Vec<u8>,
    thing_name: String,
    renewed: Option<String>,
    client: EstClient,
}

impl EnrolmentTask {
    /// Prepares the task; why there is no certificate yet appears in the returned channel. `None` where nothing is enrolled.
    pub fn new(
        config: &Config,
        clock: SharedClock,
        steps: watch::Receiver<u64>,
        identity: IdentityReceiver,
        identity_part: watch::Receiver<IdentityPart>,
    ) -> Option<(Self, watch::Receiver<Option<Problem>>)> {
        let est = config.enrolment.est()?.clone();
        let asking = Problem::wait(format!("asking the EST server {} for a certificate", est.url.endpoint));
        let (problem, receiver) = watch::channel(Some(asking));
        let task = Self {
            secret: SecretFile::new(est.secret_file.as_deref(), config.folders.credentials.as_deref()),
            est,
            identity_config: config.identity.clone(),
            request_path: request_path(&config.folders),
            clock,
            steps,
            identity,
            identity_part,
            machine: Enrolment::load(config.folders.state.join("enrolment.json"), fastrand::Rng::new()),
            problem,
        };
        Some((task, receiver))
    }

    /// Runs for as long as the daemon does.
    pub async fn run(mut self) {
        loop {
            let (step, installed) = self.decide();
            let wait = match step {
                Some(Step::Ask(purpose, credential)) => {
                    self.attempt(purpose, credential, installed.as_ref()).await;
                    continue;
                }
                Some(Step::Sleep(until)) => until.duration_since(self.clock.aws_now()).unwrap_or_default(),
                Some(Step::NeedsPerson(problem)) => {
                    self.report(Some(problem));
                    LOOK_AGAIN
                }
                Some(Step::WaitForClock) | None => LOOK_AGAIN,
            };
            tokio::select! {
                Ok(()) = self.identity.changed() => {}
                Ok(()) = self.identity_part.changed() => {}
                Ok(()) = self.steps.changed() => {}
                () = tokio::time::sleep(wait.clamp(SOON, LOOK_AGAIN)) => {}
            }
        }
    }

    /// The next step; `None` while the token has not shown its key, without which there is no request.
    fn decide(&mut self) -> (Option<Step>, Option<InstalledCertificate>) {
        let has_key = self.identity_part.borrow_and_update().phase != IdentityPhase::NoKey;
        let Some(key_info) = self.request().filter(|_| has_key).map(|(_, key_info)| key_info) else {
            return (None, None);
        };
        let found = installed(&self.identity_config, &key_info);
        let situation = self.situation(found.as_ref());
        let step = self.machine.next(&situation);
        if matches!(step, Step::Sleep(_)) {
            let progress = self.machine.progress(&situation);
            self.report(progress.and_then(|progress| progress.problem));
        }
        (Some(step), found)
    }

    fn situation<'a>(&self, found: Option<&'a InstalledCertificate>) -> Situation<'a> {
        Situation {
            certificate: found.map(InstalledCertificate::as_current),
            bootstrap: self.secret.exists().then_some(Credential::Secret),
            now: is_set(&*self.clock).then(|| self.clock.aws_now()),
        }
    }

    /// The request of the identity's task, and the public key that it is for.
    fn request(&self) -> Option<(CertificateSigningRequestDer<'static>, Vec<u8>)> {
        let text = std::fs::read(&self.request_path).ok()?;
        let request = CertificateSigningRequestDer::from_pem_slice(&text).ok()?;
        Some((request, key_of_request(&text)?))
    }

    async fn attempt(&mut self, purpose: Purpose, credential: Credential, installed: Option<&InstalledCertificate>) {
        let outcome = match self.prepare(purpose, installed) {
            Ok(prepared) => {
                self.machine.begin_attempt();
                self.exchange(&prepared, credential).await
            }
            Err(failure) => Outcome::Failed(failure),
        };
        let outcome = match outcome {
            Outcome::Issued(offered) => match self.install(&offered) {
                Ok(()) => {
                    self.machine.succeed();
                    self.report(None);
                    tokio::time::sleep(PAUSE_AFTER_ISSUE.min(lifetime(&offered) / 12)).await;
                    return;
                }
                Err(failure) => Outcome::Failed(failure),
            },
            other => other,
        };
        let now = self.clock.aws_now();
        match outcome {
            Outcome::Issued(_) => {}
            Outcome::Wait(wait) => self.machine.wait(wait, now),
            Outcome::Failed(failure) => {
                let validity = installed.map(|found| found.validity);
                self.machine.fail(&failure, credential, validity.as_ref(), now);
            }
        }
    }

    fn prepare(&self, purpose: Purpose, installed: Option<&InstalledCertificate>) -> Result<Prepared, Failure> {
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

    async fn exchange(&self, prepared: &Prepared, credential: Credential) -> Outcome {
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

    /// What the server wants in a request. A server that does not say wants nothing.
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

    fn install(&self, offered: &Offered) -> Result<(), Failure> {
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

    /// Tells the identity's task, and the journal if it is news.
    fn report(&self, problem: Option<Problem>) {
        let is_news = self.problem.send_if_modified(|known| {
            let is_news = *known != problem;
            known.clone_from(&problem);
            is_news
        });
        if let Some(problem) = problem.filter(|_| is_news) {
            let level = match problem.remedy {
                Remedy::None | Remedy::Wait => Level::Info,
                Remedy::Configuration | Remedy::Factory => Level::Warn,
            };
            journal!(level, Event::EnrolmentFailed; "enrolment: {problem}");
        }
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

fn lifetime(offered: &Offered) -> Duration {
    let left = offered.certificate.not_after.duration_since(SystemTime::now());
    left.unwrap_or_default()
}
