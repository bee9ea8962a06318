//! The MQTT connection made with a claim certificate: sends requests and receives their answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::ClientConfig;
use tokio::time::timeout;

use super::claim::Step;
use super::failure::{Failure, FailureKind};
use crate::cloud::connector::Connector;
use crate::cloud::mqtt::{
    ConnectError, ConnectOptions, Connection, Event, Farewell, Lost, PacketSink as _, ReasonCode,
};
use crate::cloud::session;
use crate::config::Endpoint;
use crate::messages::Message;
use crate::problem::Problem;
use crate::qos::Qos;

/// Time limit for an answer. A pre-provisioning hook may take five seconds, and a certificate provider as long as a Lambda function.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// An answer to a request.
pub(super) enum Answer {
    Accepted(Bytes),
    Rejected(Bytes),
}

/// An open connection.
pub(super) struct ClaimConnection {
    connection: Connection,
    endpoint: Endpoint,
    client_id: String,
}

impl ClaimConnection {
    /// Connects, and subscribes to the answers of these steps.
    pub(super) async fn open(
        connector: &Connector,
        endpoint: &Endpoint,
        tls: Arc<ClientConfig>,
        client_id: &str,
        steps: &[Step<'_>],
    ) -> Result<Self, Failure> {
        let options = ConnectOptions {
            client_id: client_id.to_owned(),
            clean_start: true,
            keep_alive: KEEP_ALIVE,
            session_expiry: Duration::ZERO,
            will: None,
        };
        let opened = Connection::open(connector, endpoint, tls, &options).await;
        let (connection, _) = opened.map_err(|error| not_connected(endpoint, client_id, error))?;
        let mut open = Self {
            connection,
            endpoint: endpoint.clone(),
            client_id: client_id.to_owned(),
        };
        open.subscribe(steps).await?;
        Ok(open)
    }

    async fn subscribe(&mut self, steps: &[Step<'_>]) -> Result<(), Failure> {
        let answers = |step: &Step| ["accepted", "rejected"].map(|verdict| format!("{}/{verdict}", step.topic()));
        let filters: Vec<(String, Qos)> = steps
            .iter()
            .flat_map(answers)
            .map(|filter| (filter, Qos::AtLeastOnce))
            .collect();
        let sent = self
            .connection
            .subscribe(&filters)
            .map_err(|_| self.not_sent("SUBSCRIBE"))?;
        let granted = loop {
            match self.next(FailureKind::Unreachable).await? {
                Event::Subscribed { packet_id, granted, .. } if packet_id == sent => break granted,
                _ => {}
            }
        };
        let refused = filters
            .iter()
            .zip(granted)
            .find_map(|((filter, _), granted)| Some((filter, granted.err()?)));
        match refused {
            Some((filter, code)) => Err(self.forbidden("iot:Subscribe", "topicfilter", filter, code)),
            None => Ok(()),
        }
    }

    /// Sends a request and waits for its answer. `lost` is the kind of failure if the connection breaks after the request was sent and may
    /// have been carried out.
    pub(super) async fn ask(&mut self, step: Step<'_>, payload: Bytes, lost: FailureKind) -> Result<Answer, Failure> {
        let topic = step.topic();
        let message = Message {
            topic: topic.clone(),
            payload,
            ..Message::default()
        };
        let sent = self
            .connection
            .publish(&message)
            .map_err(|_| self.not_sent("PUBLISH"))?;
        let (accepted, rejected) = (format!("{topic}/accepted"), format!("{topic}/rejected"));
        loop {
            match self.next(lost).await? {
                Event::Acknowledged { packet_id, reason } if packet_id == sent && reason.code.is_failure() => {
                    return Err(self.forbidden("iot:Publish", "topic", &topic, reason.code));
                }
                Event::Received { packet_id, message } => {
                    if let Some(packet_id) = packet_id {
                        self.connection.acknowledge(packet_id, ReasonCode::SUCCESS);
                    }
                    if message.topic == accepted {
                        return Ok(Answer::Accepted(message.payload));
                    }
                    if message.topic == rejected {
                        return Ok(Answer::Rejected(message.payload));
                    }
                }
                _ => {}
            }
        }
    }

    /// Closes the connection, so that the client ID is free again.
    pub(super) async fn close(self) {
        let _ = timeout(CLOSE_TIMEOUT, self.connection.close(Farewell::DiscardWill)).await;
    }

    async fn next(&mut self, lost: FailureKind) -> Result<Event, Failure> {
        match timeout(ANSWER_TIMEOUT, self.connection.next()).await {
            Ok(Ok(event)) => Ok(event),
            Ok(Err(Lost::Disconnected(reason))) if reason.code == ReasonCode::NOT_AUTHORIZED => {
                Err(self.forbidden("iot:Publish and iot:Subscribe", "topic", "$aws/...", reason.code))
            }
            Ok(Err(end)) => {
                let problem = Problem::wait(format!(
                    "{} closed the connection of the claim certificate ({})",
                    self.endpoint,
                    describe(&end)
                ));
                Err(Failure::new(lost, problem))
            }
            Err(_) => {
                let message = format!(
                    "{} has not answered within {} s",
                    self.endpoint,
                    ANSWER_TIMEOUT.as_secs()
                );
                let step =
                    "check whether the claim certificate's policy allows iot:Receive on the topics of the answers";
                Err(Failure::new(lost, Problem::wait(message).next(step)))
            }
        }
    }

    fn forbidden(&self, action: &str, kind: &str, name: &str, code: ReasonCode) -> Failure {
        let message = format!(
            "AWS does not allow {action} on {name} to the claim certificate ({code}), client ID {}",
            self.client_id
        );
        let step = format!("allow {action} on {kind}/{name} in the policy of the claim certificate");
        Failure::new(FailureKind::Unauthorized, Problem::configuration(message).next(step))
    }

    fn not_sent(&self, what: &str) -> Failure {
        let message = format!("{} has set limits that leave no room for {what}", self.endpoint);
        Failure::new(FailureKind::Unavailable, Problem::wait(message))
    }
}

fn not_connected(endpoint: &Endpoint, client_id: &str, error: ConnectError) -> Failure {
    match error {
        ConnectError::Unreachable(problem) => Failure::new(FailureKind::Unreachable, problem),
        // AWS drops connections for other reasons too (a quota), so this is retried as if AWS were only busy.
        ConnectError::LostBeforeConnack(seen) => {
            let message = format!("{endpoint} dropped the connection of the claim certificate before CONNACK ({seen})");
            let step = format!(
                "look at the AWS side: is the claim certificate ACTIVE, and does its policy allow iot:Connect to client/{client_id}?"
            );
            Failure::new(FailureKind::Unavailable, Problem::configuration(message).next(step))
        }
        ConnectError::Refused(reason) => {
            let problem = session::refused(endpoint, &reason, None);
            let kind = match reason.code {
                ReasonCode::NOT_AUTHORIZED | ReasonCode::BAD_USER_NAME_OR_PASSWORD => FailureKind::Unauthorized,
                _ => FailureKind::Unavailable,
            };
            let step =
                format!("check whether the policy of the claim certificate allows iot:Connect to client/{client_id}");
            Failure::new(
                kind,
                if kind == FailureKind::Unauthorized {
                    problem.next(step)
                } else {
                    problem
                },
            )
        }
        ConnectError::NotMqtt(what) => Failure::new(FailureKind::Unavailable, session::not_mqtt(endpoint, &what)),
        ConnectError::Protocol(error) => Failure::new(
            FailureKind::Unavailable,
            session::not_mqtt(endpoint, &error.to_string()),
        ),
    }
}

fn describe(lost: &Lost) -> String {
    match lost {
        Lost::Disconnected(reason) => reason.to_string(),
        Lost::Broken(what) | Lost::GivenUp(what) => what.clone(),
        Lost::Unanswered | Lost::Stale => "no answer".to_owned(),
        Lost::Protocol(error) => error.to_string(),
    }
}
