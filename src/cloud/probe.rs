//! Single attempts, for whoever asks whether they would succeed: the wing's own parts, without its patience and its record.

use std::ops::ControlFlow;
use std::sync::Arc;

use rustls::RootCertStore;
use tokio::time::{sleep, timeout};

use super::credentials::{Provider, Source};
use super::jitp::Provisioning;
use super::mqtt::{ConnectError, Connection, Farewell, Options};
use super::session::{self, CONNECT_INTERVAL, FAREWELL, FailureKind};
use super::{mqtt, record_path};
use crate::clock::SharedClock;
use crate::config::{Config, Endpoint};
use crate::credentials::Credentials;
use crate::failure_streak::FailureStreak;
use crate::identity::{Identity, SendChain, ServerProof};
use crate::problem::{Problem, with_causes};

/// Next step for a server that does not speak MQTT.
const SUSPECTS: &str = "find out who answers at this address: a proxy that opens TLS, or another broker";
/// A server that answers with something else than MQTT is asked so often: the same answer each time is no accident.
const TRIES: u32 = 3;

/// What is needed for an attempt.
#[derive(Debug)]
pub struct Probe {
    /// The configuration.
    pub config: Config,
    /// Whom to trust.
    pub roots: Arc<RootCertStore>,
    /// The clock.
    pub clock: SharedClock,
    /// Who we are.
    pub identity: Arc<Identity>,
}

impl Probe {
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
        let mut tries = Tries::new();
        loop {
            let (error, was_accepted) = match self.try_to_connect().await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            if let ControlFlow::Break(problem) = tries.judge(&self.config.aws.mqtt_endpoint, error, was_accepted) {
                return Err(problem);
            }
            sleep(CONNECT_INTERVAL).await;
        }
    }

    /// One attempt; a failure comes with whether AWS has accepted the certificate before.
    async fn try_to_connect(&self) -> Result<(), (ConnectError, bool)> {
        let endpoint = &self.config.aws.mqtt_endpoint;
        let mut provisioning = Provisioning::load(record_path(&self.config.folders), fastrand::Rng::new());
        if !provisioning.is_about(&self.identity.certificate.id) {
            provisioning = Provisioning::unrecorded();
        }
        let chain = provisioning.send_chain();
        let was_accepted = provisioning.was_accepted();
        let tls = session::tls(endpoint, &self.identity, &self.roots, chain, &self.clock);
        let tls = tls.map_err(|problem| (ConnectError::Unreachable(problem), was_accepted))?;
        let options = Options {
            client_id: self.identity.certificate.thing_name.clone(),
            clean_start: false,
            keep_alive: self.config.mqtt.keep_alive,
            session_expiry: self.config.mqtt.session_expiry,
            will: None,
        };
        match Connection::open(endpoint, tls, &options).await {
            Ok((connection, _)) => {
                let _ = timeout(FAREWELL, connection.close(Farewell::DiscardWill)).await;
                Ok(())
            }
            Err(error) => Err((error, was_accepted)),
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

/// The attempts of one check.
struct Tries {
    made: u32,
    streak: FailureStreak<FailureKind>,
}

impl Tries {
    fn new() -> Self {
        Self {
            made: 0,
            streak: FailureStreak::new(TRIES),
        }
    }

    /// The problem of a failed attempt, or that another one is to be made.
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
            ConnectError::Breach(_) | ConnectError::NotMqtt(_) if self.made < TRIES => return ControlFlow::Continue(()),
            ConnectError::Breach(breach) => outlook.judge(session::not_mqtt(endpoint, &breach.to_string()), SUSPECTS),
            ConnectError::NotMqtt(what) => outlook.judge(session::not_mqtt(endpoint, &what), SUSPECTS),
        };
        ControlFlow::Break(problem)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::mqtt::{Reason, ReasonCode};
    use crate::mqtt::ProtocolError;
    use crate::problem::Remedy;

    #[test]
    fn a_server_that_never_speaks_mqtt_is_said_with_suspects_and_others_are_asked_once() {
        let endpoint = Endpoint {
            host: "localhost".to_owned(),
            port: 8883,
        };
        let breach = || ConnectError::Breach(ProtocolError::BEFORE_CONNACK);
        let not_mqtt = || ConnectError::NotMqtt("HTTP".into());
        let dropped = || ConnectError::LostBeforeConnack("reset".into());
        let unreachable = || ConnectError::Unreachable(Problem::wait("no route"));
        let refused = |code| ConnectError::Refused(Reason { code, words: None });
        // The failures, whether AWS has accepted the certificate before, and what is said after the last of them.
        type Case<'a> = (&'a str, Vec<ConnectError>, bool, Remedy);
        let cases: Vec<Case> = vec![
            (
                "three breaches",
                vec![breach(), breach(), breach()],
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
                vec![not_mqtt(), breach(), not_mqtt()],
                false,
                Remedy::Configuration,
            ),
            (
                "accepted before",
                vec![breach(), breach(), breach()],
                true,
                Remedy::Wait,
            ),
            (
                "the network at last",
                vec![breach(), breach(), unreachable()],
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
            let mut tries = Tries::new();
            let last = errors.len() - 1;
            for (turn, error) in errors.into_iter().enumerate() {
                match tries.judge(&endpoint, error, was_accepted) {
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
