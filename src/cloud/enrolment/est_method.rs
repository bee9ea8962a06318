//! The method EST: sends the requests of RFC 7030 over HTTPS.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::bootstrap;
use super::client::{EstClient, Shown, answer, server_roots};
use super::credential::CredentialKind;
use super::est::{Answer, Operation, Reply, interpret};
use super::failure::{Failure, FailureKind};
use super::method::{Issued, Method, Outcome, Request, Requesting};
use super::record::Purpose;
use super::texts::MethodTexts;
use super::{RequestAttributes, UnsignedRequest, pkcs7};
use crate::clock::SharedClock;
use crate::cloud::connector::Connector;
use crate::cloud::secret_file::SecretFile;
use crate::config::{Config, EstConfig, IdentityConfig};
use crate::identity::{
    BootstrapCertificate, Identity, SendChain, TokenKey, bootstrap_config, client_config, has_expired, server_config,
};
use crate::problem::Problem;
use crate::token::Token;

const TEXTS: MethodTexts = MethodTexts {
    issuer: "the EST server",
    without_credential: "issue a secret for this gateway, and put it into enrolment.est.secret-file, or set \
                         enrolment.est.bootstrap-certificate and its key",
    after_expiry: "issue a secret for this gateway (enrolment.est.secret-file) or a bootstrap certificate, or have `gatepost csr` signed \
                   by hand",
};

/// The name of the credential in which systemd passes the secret (`LoadCredential=enrolment-secret:...`).
const SYSTEMD_CREDENTIAL: &str = "enrolment-secret";

/// The method EST.
pub(super) struct EstMethod {
    connector: Connector,
    token: Token,
    est: EstConfig,
    identity_config: IdentityConfig,
    secret: SecretFile,
    clock: SharedClock,
}

/// A request that is ready to be sent.
struct Prepared {
    operation: Operation,
    csr: CertificateSigningRequestDer<'static>,
    client: EstClient,
}

impl EstMethod {
    pub(super) fn new(
        est: &EstConfig,
        config: &Config,
        connector: Connector,
        token: Token,
        clock: SharedClock,
    ) -> Self {
        Self {
            connector,
            token,
            secret: SecretFile::new(
                est.secret_file.as_deref(),
                config.folders.credentials.as_deref(),
                SYSTEMD_CREDENTIAL,
            ),
            est: est.clone(),
            identity_config: config.identity.clone(),
            clock,
        }
    }

    fn prepare(&self, request: &Request) -> Result<Prepared, Failure> {
        let roots = server_roots(&self.est.server_ca)?;
        let no_tls =
            |error: rustls::Error| Failure::not_ready(&format!("no TLS: {}", crate::problem::with_causes(&error)));
        match request.purpose {
            Purpose::Renewal => {
                let (Some(identity), Some(_)) = (&request.in_use, request.installed) else {
                    return Err(Failure::not_ready(
                        "the certificate that is to be renewed is not in use yet",
                    ));
                };
                let tls = client_config(identity, roots, SendChain::Full, &[], self.clock.clone()).map_err(no_tls)?;
                Ok(Prepared {
                    operation: Operation::Reenrol,
                    csr: renewal_request(identity, request.key)?,
                    client: EstClient::new(&self.connector, &self.est.url, tls, &Shown::CurrentCertificate)?,
                })
            }
            Purpose::First | Purpose::Replacement if request.credential == CredentialKind::BootstrapCertificate => {
                let certificate = self.load_bootstrap()?;
                let tls = bootstrap_config(&certificate, roots, &[], self.clock.clone()).map_err(no_tls)?;
                let shown = Shown::BootstrapCertificate(certificate.issuer());
                Ok(Prepared {
                    operation: Operation::Enrol,
                    csr: request.csr.clone(),
                    client: EstClient::new(&self.connector, &self.est.url, tls, &shown)?,
                })
            }
            Purpose::First | Purpose::Replacement => {
                let tls = server_config(roots, self.clock.clone()).map_err(no_tls)?;
                let secret = self.secret.read().map_err(|why| unusable_secret(&why))?;
                let subject = &self.identity_config.subject.common_name;
                let user = self.est.user.as_deref().unwrap_or(subject);
                Ok(Prepared {
                    operation: Operation::Enrol,
                    csr: request.csr.clone(),
                    client: EstClient::new(&self.connector, &self.est.url, tls, &Shown::Secret(user, &secret))?,
                })
            }
        }
    }

    fn load_bootstrap(&self) -> Result<BootstrapCertificate, Failure> {
        let name = self.est.bootstrap_key();
        let name = name.ok_or_else(|| Failure::not_ready("no bootstrap certificate is configured"))?;
        let certificate = bootstrap::load(&self.token, name)?;
        match certificate.expired(self.clock.aws_now(), "the bootstrap certificate") {
            Some(problem) => Err(Failure::refused(problem)),
            None => Ok(certificate),
        }
    }

    async fn exchange(&self, prepared: &Prepared, credential: CredentialKind) -> Result<Outcome, Failure> {
        let server = self.est.url.endpoint.to_string();
        let client = &prepared.client;
        if let Some(problem) = self.demands(client).await?.problem(&server) {
            return Err(Failure::refused(problem));
        }
        let published = self.published(client).await?;
        let response = client.post(prepared.operation, &prepared.csr).await?;
        match interpret(prepared.operation, credential, &server, &answer(&response)) {
            Reply::Certificates(certificates) => Ok(Outcome::Issued(Issued {
                certificates,
                published,
                thing_name: None,
            })),
            Reply::Wait(wait) => Ok(Outcome::Wait(wait)),
            Reply::Failed(failure) => Err(failure),
        }
    }

    /// Gets the attributes that the server wants in a request. If the server does not answer, it wants none.
    async fn demands(&self, client: &EstClient) -> Result<RequestAttributes, Failure> {
        let response = client.get(Operation::RequestAttributes).await?;
        Ok(match answer(&response) {
            Answer { status: 200, body, .. } => RequestAttributes::parse(body).unwrap_or_default(),
            _ => RequestAttributes::default(),
        })
    }

    /// Gets the CA's certificates, which may connect a new CA with the one in identity.ca-chain.
    async fn published(&self, client: &EstClient) -> Result<Vec<CertificateDer<'static>>, Failure> {
        if self.identity_config.ca_chain.is_none() {
            return Ok(Vec::new());
        }
        let response = client.get(Operation::CaCertificates).await?;
        Ok(match answer(&response) {
            Answer { status: 200, body, .. } => pkcs7::certificates(body).unwrap_or_default(),
            _ => Vec::new(),
        })
    }
}

impl Method for EstMethod {
    fn texts(&self) -> &'static MethodTexts {
        &TEXTS
    }

    fn issuer(&self) -> String {
        self.est.url.endpoint.to_string()
    }

    fn bootstrap_credential(&self) -> Option<CredentialKind> {
        let certificate = self.est.bootstrap.as_ref().map(|pair| pair.certificate.as_path());
        let certificate = certificate.filter(|path| path.exists());
        let has_secret = self.secret.exists();
        match certificate {
            // An expired certificate is shown only where there is nothing else, so that the problem says so.
            Some(path) if !has_secret || !has_expired(path, self.clock.aws_now()) => {
                Some(CredentialKind::BootstrapCertificate)
            }
            _ => has_secret.then_some(CredentialKind::Secret),
        }
    }

    fn request<'a>(&'a self, request: &'a Request<'a>) -> Requesting<'a> {
        Box::pin(async move {
            let prepared = self.prepare(request)?;
            self.exchange(&prepared, request.credential).await
        })
    }
}

fn unusable_secret(why: &str) -> Failure {
    let problem = Problem::configuration(format!("the secret for the EST server cannot be used: {why}"))
        .next("write the secret, and nothing else, into the file that enrolment.est.secret-file names");
    Failure::refused(problem)
}

/// Creates the signing request for a certificate like the one in use.
pub(super) fn renewal_request(
    identity: &Arc<Identity>,
    key: &TokenKey,
) -> Result<CertificateSigningRequestDer<'static>, Failure> {
    let unsigned = UnsignedRequest::like(&identity.certificate.leaf, &key.public().subject_public_key_info())
        .ok_or_else(|| Failure::not_ready("the certificate in use cannot be read"))?;
    let signature = key
        .sign_request(unsigned.to_be_signed())
        .map_err(|error| Failure::new(FailureKind::Unreachable, error.problem().clone()))?;
    Ok(unsigned.signed(key.public().algorithm, &signature))
}
