//! Single attempts for `gatepost check`: the same connections that the daemon makes, without retries and records.

use std::ops::ControlFlow;
use std::sync::Arc;

use rustls::RootCertStore;
use tokio::time::{sleep, timeout};

use super::connector::Connector;
use super::credentials::{Provider, Source};
use super::jitp::{Provisioning, record_path};
use super::mqtt::{self, ConnectError, ConnectOptions, Connection, Farewell};
use super::session::{self, CLOSE_TIMEOUT, CONNECT_INTERVAL, FailureKind};
use crate::clock::SharedClock;
use crate::config::{Config, Endpoint};
use crate::credentials::Credentials;
use crate::failure_streak::FailureStreak;
use crate::identity::{Identity, SendChain, ServerProof};
use crate::problem::{Problem, with_causes};

/// Next step for a server that does not speak MQTT.
const SUSPECTS: &str = "find out who answers at this address: a proxy that intercepts TLS, or another broker";
/// Number of attempts with a server that does not speak MQTT. If it gives the same answer each time, the cause is lasting.
const TRIES: u32 = 3;

/// Everything that an attempt needs.
#[derive(Debug)]
pub struct Probe {
    /// Configuration.
    pub config: Config,
    /// Makes TCP connections.
    pub connector: Connector,
    /// Trusted root certificates.
    pub roots: Arc<RootCertStore>,
    /// Clock.
    pub clock: SharedClock,
    /// Identity to connect as.
    pub identity: Arc<Identity>,
}

impl Probe {
    /// Makes a TLS handshake with one of the endpoints, for which the token makes a signature.
    ///
    /// # Errors
    /// With the problem that prevented the handshake.
    pub async fn handshake(&self, endpoint: &Endpoint) -> Result<(), Problem> {
        let is_mqtt = *endpoint == self.config.aws.mqtt_endpoint;
        let alpn = if is_mqtt { self.config.aws.mqtt_alpn } else { &[] };
        let tls = session::tls_config(alpn, &self.identity, &self.roots, SendChain::Leaf, &self.clock)?;
        mqtt::handshake(&self.connector, endpoint, tls).await
    }

    /// Makes an MQTT connection as the session does, and closes it at once. AWS keeps the session.
    ///
    /// # Errors
    /// With AWS's reason, if it gives one.
    pub async fn connect(&self) -> Result<(), Problem> {
        let mut attempts = Attempts::new();
        loop {
            let (error, was_accepted) = match self.connect_once().await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if let ControlFlow::Break(problem) = attempts.judge(&self.config.aws.mqtt_endpoint, error, was_accepted) {
                return Err(problem);
            }
            sleep(CONNECT_INTERVAL).await;
        }
    }

    /// Makes one attempt. A failure says whether AWS has accepted the certificate before.
    async fn connect_once(&self) -> Result<(), (ConnectError, bool)> {
        let endpoint = &self.config.aws.mqtt_endpoint;
        let mut provisioning = Provisioning::load(record_path(&self.config.folders), fastrand::Rng::new());
        if !provisioning.is_about(&self.identity.certificate.id) {
            provisioning = Provisioning::unrecorded();
        }
        let chain = provisioning.send_chain();
        let was_accepted = provisioning.was_accepted();
        let tls = session::tls_config(
            self.config.aws.mqtt_alpn,
            &self.identity,
            &self.roots,
            chain,
            &self.clock,
        );
        let tls = tls.map_err(|problem| (ConnectError::Unreachable(problem), was_accepted))?;
        let options = ConnectOptions {
            client_id: self.identity.certificate.thing_name.clone(),
            clean_start: false,
            keep_alive: self.config.mqtt.keep_alive,
            session_expiry: self.config.mqtt.session_expiry,
            will: None,
        };
        match Connection::open(&self.connector, endpoint, tls, &options).await {
            Ok((connection, _)) => {
                let _ = timeout(CLOSE_TIMEOUT, connection.close(Farewell::DiscardWill)).await;
                Ok(())
            }
            Err(error) => Err((error, was_accepted)),
        }
    }

    /// Makes one request to the credentials provider.
    ///
    /// # Errors
    /// With AWS's message.
    pub async fn credentials(&self, alias: &str) -> Result<Credentials, Problem> {
        let provider = Provider {
            connector: self.connector.clone(),
            endpoint: self.config.aws.credentials_endpoint.clone(),
            roots: self.roots.clone(),
            clock: self.clock.clone(),
        };
        let outcome = provider.fetch(alias, &self.identity).await;
        outcome.map_err(|failure| failure.problem().clone())
    }
}

/// Verifies the certificate of an endpoint in a handshake without a client certificate, for a gateway that has none yet. Whether the
/// server then accepts the client does not matter.
///
/// # Errors
/// With the problem that prevented the verification: a proxy that intercepts TLS, another root certificate, or a wrong clock.
pub async fn prove_server(
    connector: &Connector,
    endpoint: &Endpoint,
    alpn: &[&str],
    roots: Arc<RootCertStore>,
    clock: SharedClock,
) -> Result<(), Problem> {
    let (proof, tls) = ServerProof::new(roots, alpn, clock)
        .map_err(|error| Problem::wait(format!("no TLS: {}", with_causes(&error))))?;
    match mqtt::handshake(connector, endpoint, tls).await {
        Err(problem) if !proof.is_proven() => Err(problem),
        _ => Ok(()),
    }
}

/// Attempts of one check.
struct Attempts {
    made: u32,
    streak: FailureStreak<FailureKind>,
}

impl Attempts {
    fn new() -> Self {
        Self {
            made: 0,
            streak: FailureStreak::new(TRIES),
        }
    }

    /// Returns the problem of a failed attempt, or continues with another attempt.
    fn judge(&mut self, endpoint: &Endpoint, error: ConnectError, was_accepted: bool) -> ControlFlow<Problem> {
        self.made += 1;
        self.streak.remember_success(was_accepted);
        let outlook = self.streak.fail((&error).into());
        let problem = match error {
            ConnectError::Unreachable(problem) => problem,
            ConnectError::Refused(reason) => session::refused(endpoint, &reason, None),
            ConnectError::LostBeforeConnack(seen) if !was_accepted => first_contact(endpoint, &seen),
            ConnectError::LostBeforeConnack(seen) => session::dropped(endpoint, &seen).next(
                "look at the AWS side: is the certificate ACTIVE and attached to the thing, and does its policy allow \
                 iot:Connect?",
            ),
            ConnectError::Protocol(_) | ConnectError::NotMqtt(_) if self.made < TRIES => {
                return ControlFlow::Continue(());
            }
            ConnectError::Protocol(error) => outlook.judge(session::not_mqtt(endpoint, &error.to_string()), SUSPECTS),
            ConnectError::NotMqtt(what) => outlook.judge(session::not_mqtt(endpoint, &what), SUSPECTS),
        };
        ControlFlow::Break(problem)
    }
}

/// Returns the problem of a connection that AWS dropped although it has never accepted the certificate.
fn first_contact(endpoint: &Endpoint, seen: &str) -> Problem {
    Problem::wait(format!(
        "{endpoint} dropped the connection before CONNACK ({seen}): as AWS does at the first contact of just-in-time provisioning, which has begun with this attempt"
    ))
    .next(
        "check again in ten seconds; if that continues, look at the AWS side: CA ACTIVE with auto-registration, template, role",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::mqtt::{Reason, ReasonCode};
    use crate::mqtt::ProtocolError;
    use crate::problem::Remedy;

    #[test]
    fn a_server_that_never_speaks_mqtt_is_tried_three_times_and_others_once() {
        let endpoint = Endpoint {
            host: "localhost".to_owned(),
            port: 8883,
        };
        let protocol_error = || ConnectError::Protocol(ProtocolError::BEFORE_CONNACK);
        let not_mqtt = || ConnectError::NotMqtt("HTTP".into());
        let dropped = || ConnectError::LostBeforeConnack("reset".into());
        let unreachable = || ConnectError::Unreachable(Problem::wait("no route"));
        let refused = |code| ConnectError::Refused(Reason { code, words: None });
        // Failures, whether AWS has accepted the certificate before, and the remedy of the problem after the last failure.
        type Case<'a> = (&'a str, Vec<ConnectError>, bool, Remedy);
        let cases: Vec<Case> = vec![
            (
                "three protocol errors",
                vec![protocol_error(), protocol_error(), protocol_error()],
                false,
                Remedy::Configuration,
            ),
            (
                "three web pages",
                vec![not_mqtt(), not_mqtt(), not_mqtt()],
                false,
                Remedy::Configuration,
            ),
            (
                "either",
                vec![not_mqtt(), protocol_error(), not_mqtt()],
                false,
                Remedy::Configuration,
            ),
            (
                "accepted before",
                vec![protocol_error(), protocol_error(), protocol_error()],
                true,
                Remedy::Wait,
            ),
            (
                "the network at last",
                vec![protocol_error(), protocol_error(), unreachable()],
                false,
                Remedy::Wait,
            ),
            ("the network", vec![unreachable()], false, Remedy::Wait),
            ("dropped", vec![dropped()], false, Remedy::Wait),
            ("dropped, accepted before", vec![dropped()], true, Remedy::Wait),
            ("busy", vec![refused(ReasonCode::SERVER_BUSY)], false, Remedy::Wait),
            (
                "not authorized",
                vec![refused(ReasonCode::NOT_AUTHORIZED)],
                true,
                Remedy::Configuration,
            ),
        ];
        for (what, errors, was_accepted, remedy) in cases {
            let mut attempts = Attempts::new();
            let last = errors.len() - 1;
            for (turn, error) in errors.into_iter().enumerate() {
                match attempts.judge(&endpoint, error, was_accepted) {
                    ControlFlow::Continue(()) => assert!(turn < last, "{what}: {turn}"),
                    ControlFlow::Break(problem) => {
                        assert_eq!((turn, problem.remedy), (last, remedy), "{what}: {problem}");
                        let says_never = problem.message.contains("never succeeded");
                        assert_eq!(
                            says_never,
                            what == "either" || what.starts_with("three"),
                            "{what}: {problem}"
                        );
                    }
                }
            }
        }
    }
}
