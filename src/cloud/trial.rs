//! Single attempts, for whoever asks whether they would succeed: the wing's own parts, without its patience and its record.

use std::sync::Arc;

use rustls::RootCertStore;
use tokio::time::timeout;

use super::credentials::{Provider, Source};
use super::mqtt::{ConnectError, Connection, Options};
use super::provisioning::Provisioning;
use super::session::{self, FAREWELL};
use super::{mqtt, record_path};
use crate::clock::SharedClock;
use crate::config::{Config, Endpoint};
use crate::credentials::Credentials;
use crate::identity::{Identity, SendChain, ServerProof};
use crate::problem::{Problem, with_causes};

/// What is needed for an attempt.
#[derive(Debug)]
pub struct Trial {
    /// The configuration.
    pub config: Config,
    /// Whom to trust.
    pub roots: Arc<RootCertStore>,
    /// The clock.
    pub clock: SharedClock,
    /// Who we are.
    pub identity: Arc<Identity>,
}

impl Trial {
    /// A TLS handshake with `endpoint`, which takes the token a signature.
    ///
    /// # Errors
    /// With what keeps it from succeeding.
    pub async fn handshake(&self, endpoint: &Endpoint) -> Result<(), Problem> {
        let tls = session::tls(endpoint, &self.identity, &self.roots, SendChain::Leaf, &self.clock)?;
        mqtt::handshake(endpoint, tls).await
    }

    /// An MQTT connection as the session makes it, ended at once. What AWS keeps for the session stays.
    ///
    /// # Errors
    /// With AWS's reason, as far as it says one.
    pub async fn connect(&self) -> Result<(), Problem> {
        let endpoint = &self.config.aws.mqtt_endpoint;
        let mut provisioning = Provisioning::load(record_path(&self.config.folders), fastrand::Rng::new());
        if !provisioning.is_about(&self.identity.certificate.id) {
            provisioning = Provisioning::unrecorded();
        }
        let chain = provisioning.send_chain();
        let tls = session::tls(endpoint, &self.identity, &self.roots, chain, &self.clock)?;
        let options = Options {
            client_id: self.identity.certificate.thing_name.clone(),
            clean_start: false,
            keep_alive: self.config.mqtt.keep_alive,
            session_expiry: self.config.mqtt.session_expiry,
            will: None,
        };
        match Connection::open(endpoint, tls, &options).await {
            Ok((connection, _)) => {
                let _ = timeout(FAREWELL, connection.close()).await;
                Ok(())
            }
            Err(ConnectError::Unreachable(problem)) => Err(problem),
            Err(ConnectError::Breach(error)) => Err(session::not_mqtt(endpoint, &error.to_string())),
            Err(ConnectError::Refused(reason)) => Err(session::refused(endpoint, &reason, None)),
            Err(ConnectError::NotMqtt(what)) => Err(session::not_mqtt(endpoint, &what)),
            Err(ConnectError::LostBeforeConnack(seen)) if !provisioning.was_accepted() => {
                Err(first_contact(endpoint, &seen))
            }
            Err(ConnectError::LostBeforeConnack(seen)) => Err(session::dropped(endpoint, &seen).next(
                "look at the AWS side: is the certificate ACTIVE and attached to the thing, and does its policy allow \
                 iot:Connect?",
            )),
        }
    }

    /// One request to the credentials provider.
    ///
    /// # Errors
    /// With AWS's own words.
    pub async fn credentials(&self, alias: &str) -> Result<Credentials, Problem> {
        let provider = Provider {
            endpoint: self.config.aws.credentials_endpoint.clone(),
            roots: self.roots.clone(),
            clock: self.clock.clone(),
        };
        let outcome = provider.fetch(alias, &self.identity).await;
        outcome.map_err(|failure| failure.problem().clone())
    }
}

/// Has the server of an endpoint prove who it is, in a handshake without a client certificate: what can be found out before there is
/// one. Whether the server then goes on does not matter.
///
/// # Errors
/// With what keeps it from succeeding: a proxy that opens TLS, another root, a clock that is wrong.
pub async fn prove_server(
    endpoint: &Endpoint,
    is_mqtt: bool,
    roots: Arc<RootCertStore>,
    clock: SharedClock,
) -> Result<(), Problem> {
    let alpn = if is_mqtt { session::alpn(endpoint) } else { &[] };
    let (proof, tls) = ServerProof::new(roots, alpn, clock)
        .map_err(|error| Problem::wait(format!("no TLS: {}", with_causes(&error))))?;
    match mqtt::handshake(endpoint, tls).await {
        Err(problem) if !proof.is_proven() => Err(problem),
        _ => Ok(()),
    }
}

fn first_contact(endpoint: &Endpoint, seen: &str) -> Problem {
    Problem::wait(format!(
        "{endpoint} dropped the connection before CONNACK ({seen}): what AWS does at the first contact of just-in-time \
         provisioning, which has begun with this"
    ))
    .next(
        "check again in ten seconds; if that goes on, look at the AWS side: CA ACTIVE with auto-registration, template, role",
    )
}
