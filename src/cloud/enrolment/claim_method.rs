//! The method claim: AWS fleet provisioning, over a connection made with the claim certificate.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use log::Level;
use rustls::{ClientConfig, RootCertStore};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::bootstrap;
use super::claim::{self, Created, Step};
use super::claim_connection::{Answer, ClaimConnection};
use super::claim_progress::{Progress, Resume, progress_file, resume};
use super::credential::CredentialKind;
use super::failure::{Failure, FailureKind};
use super::method::{Issued, Method, Outcome, Request, Requesting};
use super::texts::MethodTexts;
use crate::clock::SharedClock;
use crate::cloud::connector::Connector;
use crate::cloud::state_file::StateFile;
use crate::config::{COMMON_NAME, ClaimConfig, Config, Endpoint};
use crate::event::{Event, journal};
use crate::identity::{BootstrapCertificate, CLAIM_NAMES, bootstrap_config};
use crate::problem::Problem;
use crate::token::Token;

const WHERE_THE_CLAIM_BELONGS: &str = "put the claim certificate where enrolment.claim.certificate says, and its key where \
                                       enrolment.claim.key-file says, or into the token (enrolment.claim.key)";

const TEXTS: MethodTexts = MethodTexts {
    issuer: "AWS IoT",
    without_credential: WHERE_THE_CLAIM_BELONGS,
    after_expiry: WHERE_THE_CLAIM_BELONGS,
};

/// The method claim.
pub(super) struct ClaimMethod {
    claim: ClaimConfig,
    token: Token,
    key_file: Option<PathBuf>,
    endpoint: Endpoint,
    alpn: &'static [&'static str],
    connector: Connector,
    roots: Arc<RootCertStore>,
    clock: SharedClock,
    /// The client ID of the connection. It differs from the thing's, whose session continues during a renewal.
    client_id: String,
    parameters: BTreeMap<String, String>,
    progress: StateFile<Progress>,
}

impl ClaimMethod {
    pub(super) fn new(
        claim: &ClaimConfig,
        config: &Config,
        connector: Connector,
        token: Token,
        roots: Arc<RootCertStore>,
        clock: SharedClock,
    ) -> Self {
        let common_name = &config.identity.subject.common_name;
        let parameters = claim.parameters.iter();
        let fill_in = |(name, value): (&String, &String)| (name.clone(), value.replace(COMMON_NAME, common_name));
        Self {
            key_file: claim.key_path(&config.folders),
            endpoint: config.aws.mqtt_endpoint.clone(),
            alpn: config.aws.mqtt_alpn,
            connector,
            token,
            roots,
            clock,
            client_id: format!("{common_name}-claim"),
            parameters: parameters.map(fill_in).collect(),
            progress: progress_file(config.folders.state.join("claim.json")),
            claim: claim.clone(),
        }
    }

    async fn obtain(&self, request: &Request<'_>) -> Result<Issued, Failure> {
        let template = self.claim.template.as_str();
        let now = self.clock.aws_now();
        let kept = self.progress.read();
        let installed = request.installed.map(|found| found.id.as_str());
        let kept = match (resume(kept.as_ref(), template, request.key_info, installed, now), kept) {
            (Resume::Install, Some(kept)) => return Ok(issued(&kept)),
            (Resume::Register, kept) => kept,
            (Resume::Create | Resume::Install, _) => None,
        };
        let steps = [Step::Create, Step::Register(template)];
        let mut connection =
            ClaimConnection::open(&self.connector, &self.endpoint, self.tls()?, &self.client_id, &steps).await?;
        let outcome = self.exchange(&mut connection, kept, request).await;
        connection.close().await;
        outcome
    }

    async fn exchange(
        &self,
        connection: &mut ClaimConnection,
        kept: Option<Progress>,
        request: &Request<'_>,
    ) -> Result<Issued, Failure> {
        if let Some(mut kept) = kept {
            match self.register(connection, &mut kept).await? {
                Answer::Accepted(payload) => return self.accept(kept, &payload),
                Answer::Rejected(payload) if claim::is_token_rejected(&payload) => self.abandon(&kept),
                Answer::Rejected(payload) => return Err(self.rejected(&payload)),
            }
        }
        let created = self.create(connection, request).await?;
        let mut progress = Progress::new(&self.claim.template, request.key_info, created, self.clock.aws_now());
        self.progress.write(&progress);
        match self.register(connection, &mut progress).await? {
            Answer::Accepted(payload) => self.accept(progress, &payload),
            Answer::Rejected(payload) => Err(self.rejected(&payload)),
        }
    }

    /// Requests a certificate. A lost answer does no harm: AWS deletes a certificate that is not registered within an hour.
    async fn create(&self, connection: &mut ClaimConnection, request: &Request<'_>) -> Result<Created, Failure> {
        let payload = Bytes::from(claim::create_payload(&request.csr)?);
        let created = match connection.ask(Step::Create, payload, FailureKind::Unavailable).await? {
            Answer::Accepted(payload) => claim::read_created(&payload)?,
            Answer::Rejected(payload) => return Err(claim::read_rejection(Step::Create, &payload)),
        };
        let is_ours = |der: &rustls::pki_types::CertificateDer| {
            X509Certificate::from_der(der).is_ok_and(|(_, one)| one.public_key().raw == request.key_info)
        };
        match claim::certificates(&created.certificate_pem).iter().any(is_ours) {
            true => Ok(created),
            false => Err(Failure::refused(
                Problem::configuration("AWS sent a certificate for another key than the one that was asked for")
                    .next("look at the account's certificate provider: it must sign the public key of the request"),
            )),
        }
    }

    async fn register(&self, connection: &mut ClaimConnection, progress: &mut Progress) -> Result<Answer, Failure> {
        let payload = claim::register_payload(&progress.created, &self.parameters);
        progress.was_sent = true;
        self.progress.write(progress);
        let step = Step::Register(&self.claim.template);
        connection
            .ask(
                step,
                Bytes::copy_from_slice(payload.as_bytes()),
                FailureKind::AnswerLost,
            )
            .await
    }

    fn accept(&self, mut progress: Progress, payload: &[u8]) -> Result<Issued, Failure> {
        progress.thing_name = claim::read_registered(payload, &self.claim.template)?;
        progress.is_registered = true;
        self.progress.write(&progress);
        Ok(issued(&progress))
    }

    fn rejected(&self, payload: &[u8]) -> Failure {
        claim::read_rejection(Step::Register(&self.claim.template), payload)
    }

    /// Gives up a certificate whose token AWS no longer accepts. If RegisterThing was sent, the certificate may be registered nevertheless.
    fn abandon(&self, kept: &Progress) {
        self.progress.remove();
        if kept.was_sent {
            journal!(
                Level::Warn, Event::CertificateAbandoned;
                "enrolment: AWS's answer about certificate {} was lost, and another certificate is requested; next: if it is attached to the \
                 thing, revoke it",
                crate::foreign_text::clean(&kept.created.certificate_id)
            );
        }
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, Failure> {
        let no_key = || {
            let problem = Problem::configuration("there is no key of the claim certificate");
            Failure::refused(problem.next(TEXTS.without_credential))
        };
        let certificate = match self.claim.named_key() {
            Some(name) => bootstrap::load(&self.token, name)?,
            None => {
                let key_file = self.key_file.as_deref().ok_or_else(no_key)?;
                BootstrapCertificate::load(&self.claim.certificate, key_file, CLAIM_NAMES).map_err(Failure::refused)?
            }
        };
        if let Some(problem) = certificate.expired(self.clock.aws_now(), "the claim certificate") {
            return Err(Failure::refused(problem));
        }
        bootstrap_config(&certificate, self.roots.clone(), self.alpn, self.clock.clone())
            .map_err(|error| Failure::not_ready(&format!("no TLS: {}", crate::problem::with_causes(&error))))
    }
}

impl Method for ClaimMethod {
    fn texts(&self) -> &'static MethodTexts {
        &TEXTS
    }

    fn issuer(&self) -> String {
        format!("AWS IoT ({})", self.endpoint)
    }

    fn bootstrap_credential(&self) -> Option<CredentialKind> {
        let key_exists = self.claim.key.is_some() || self.key_file.as_ref().is_some_and(|path| path.exists());
        (key_exists && self.claim.certificate.exists()).then_some(CredentialKind::BootstrapCertificate)
    }

    fn renewal_credential(&self) -> Option<CredentialKind> {
        self.bootstrap_credential()
    }

    fn request<'a>(&'a self, request: &'a Request<'a>) -> Requesting<'a> {
        Box::pin(async move { self.obtain(request).await.map(Outcome::Issued) })
    }

    fn finish(&self) {
        self.progress.remove();
    }
}

fn issued(progress: &Progress) -> Issued {
    Issued {
        certificates: claim::certificates(&progress.created.certificate_pem),
        published: Vec::new(),
        thing_name: progress.thing_name.clone(),
    }
}
