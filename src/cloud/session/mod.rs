//! The one persistent MQTT session, and with it the way from first contact to provisioned.
//!
//! One task that connects, stays, and connects again; it never gives up and never hurries.

mod words;

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::mqtt::{ConnectError, Connection, Event, Lost, Message, Options};
use super::provisioning::Provisioning;
use crate::backoff::Backoff;
use crate::clock::{SharedClock, rfc3339};
use crate::config::{Endpoint, Mqtt};
use crate::identity::{Identity, IdentityReceiver, client_config};
use crate::problem::{Problem, with_causes};
use crate::status::{
    ClockPart, ClockPhase, IdentityPart, IdentityPhase, ProvisioningDetails, ProvisioningPhase, Reporter,
    SessionDetails, SessionPhase,
};

/// Between two attempts: 1 s to 5 min, with full jitter.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// A session that lasted so long was stable; only then does the backoff start anew.
const STABLE: Duration = Duration::from_secs(30);
/// For the farewell: presence and DISCONNECT.
const FAREWELL: Duration = Duration::from_secs(2);
/// On port 443 AWS IoT tells MQTT from HTTPS by this (developer guide, "Device communication protocols").
const ALPN_MQTT: &str = "x-amzn-mqtt-ca";

/// The reporting ends that this task writes.
#[derive(Debug)]
pub struct SessionReporters {
    /// The session's part.
    pub session: Reporter<SessionPhase, SessionDetails>,
    /// Provisioning's part.
    pub provisioning: Reporter<ProvisioningPhase, ProvisioningDetails>,
}

/// What the task reads.
#[derive(Debug)]
pub struct SessionInputs {
    /// Who we are.
    pub identity: IdentityReceiver,
    /// Why there is no identity, where there is none.
    pub identity_part: watch::Receiver<IdentityPart>,
    /// Whether the clock is set.
    pub clock_part: watch::Receiver<ClockPart>,
    /// Becomes true when the daemon ends.
    pub shutdown: watch::Receiver<bool>,
}

/// The session: what it is made of.
#[derive(Debug)]
pub struct Session {
    /// Where to.
    pub endpoint: Endpoint,
    /// How.
    pub mqtt: Mqtt,
    /// Whom to trust.
    pub roots: Arc<RootCertStore>,
    /// The clock.
    pub clock: SharedClock,
    /// What is read.
    pub inputs: SessionInputs,
    /// What is written.
    pub reporters: SessionReporters,
    /// How far AWS knows us.
    pub provisioning: Provisioning,
}

/// The session at work.
struct Task {
    parts: Session,
    backoff: Backoff,
    /// Whether presence is announced: not where AWS refuses the topic.
    presence: bool,
}

/// What ended a stay.
enum Ended {
    Lost(Lost),
    IdentityChanged,
    Shutdown,
}

impl Session {
    /// Runs until the daemon ends; the session is then closed with a DISCONNECT.
    pub async fn run(self) {
        let backoff = Backoff::new(BACKOFF.0, BACKOFF.1, fastrand::Rng::new());
        let presence = self.mqtt.presence_topic.is_some();
        Task {
            parts: self,
            backoff,
            presence,
        }
        .run()
        .await;
    }
}

impl Task {
    /// Runs until the daemon ends; the session is then closed with a DISCONNECT.
    pub async fn run(mut self) {
        while let Some(identity) = self.wait_until_possible().await {
            self.parts.provisioning.begin(&identity.certificate.id);
            self.report_provisioning(None, None);
            let outcome = self.connect(&identity).await;
            // CONNECT was sent earlier: a token may sign for a second first.
            let connected = Instant::now();
            let wait = match outcome {
                None => return,
                Some(Ok(connection)) => match self.stay(connection, &identity).await {
                    Ended::Shutdown => return,
                    Ended::IdentityChanged => BACKOFF.0,
                    Ended::Lost(lost) => {
                        if connected.elapsed() >= STABLE {
                            self.backoff.reset();
                            // The policy may have been mended meanwhile.
                            self.presence = self.parts.mqtt.presence_topic.is_some();
                        }
                        let wait = self.next_backoff();
                        self.report_waiting(Some(words::lost(&self.parts.endpoint, &lost)), wait);
                        wait
                    }
                },
                Some(Err(error)) => self.failed(error),
            };
            if self.pause(connected, wait).await.is_none() {
                return;
            }
        }
    }

    /// The identity, once there is one and the clock lets TLS trust anybody; `None` when the daemon ends.
    async fn wait_until_possible(&mut self) -> Option<Arc<Identity>> {
        loop {
            let identity = self.parts.inputs.identity.borrow_and_update().clone();
            let clock_set = self.parts.inputs.clock_part.borrow_and_update().phase == ClockPhase::Set;
            let phase = match &identity {
                Some(identity) if clock_set => return Some(identity.clone()),
                Some(_) => ProvisioningPhase::WaitingForClock,
                None => match self.parts.inputs.identity_part.borrow_and_update().phase {
                    IdentityPhase::NoKey => ProvisioningPhase::NoKey,
                    // A good certificate looks like one that is not valid yet.
                    IdentityPhase::Refused if !clock_set => ProvisioningPhase::WaitingForClock,
                    _ => ProvisioningPhase::NoCertificate,
                },
            };
            // Why is said, and logged, by the room in which it arose.
            self.parts.reporters.provisioning.report(phase, None);
            self.parts.reporters.session.report(SessionPhase::Idle, None);
            tokio::select! {
                () = ending(&mut self.parts.inputs.shutdown) => return None,
                Ok(()) = self.parts.inputs.identity.changed() => {}
                Ok(()) = self.parts.inputs.identity_part.changed() => {}
                Ok(()) = self.parts.inputs.clock_part.changed() => {}
            }
        }
    }

    /// One attempt; `None` when the daemon ends meanwhile.
    async fn connect(&mut self, identity: &Identity) -> Option<Result<Connection, ConnectError>> {
        let alpn: &[&str] = if self.parts.endpoint.port == 443 {
            &[ALPN_MQTT]
        } else {
            &[]
        };
        let chain = self.parts.provisioning.send_chain();
        let tls = match client_config(
            identity,
            self.parts.roots.clone(),
            chain,
            alpn,
            self.parts.clock.clone(),
        ) {
            Ok(tls) => tls,
            Err(error) => return Some(Err(ConnectError::Unreachable(Problem::wait(with_causes(&error))))),
        };
        let thing = identity.certificate.thing_name.clone();
        let options = Options {
            client_id: thing.clone(),
            keep_alive: self.parts.mqtt.keep_alive,
            session_expiry: self.parts.mqtt.session_expiry,
            will: self.presence_message(&thing, "offline"),
        };
        self.parts
            .reporters
            .session
            .report_with(SessionPhase::Connecting, self.session_problem(), |details| {
                details.client_id = Some(thing);
                details.next_attempt = None;
            });
        let outcome = tokio::select! {
            outcome = Connection::open(&self.parts.endpoint, tls, &options) => outcome,
            () = ending(&mut self.parts.inputs.shutdown) => return None,
        };
        Some(outcome.map(|(connection, granted)| {
            self.parts.provisioning.accepted();
            self.report_provisioning(None, None);
            let expiry = u32::try_from(granted.session_expiry.as_secs()).unwrap_or(u32::MAX);
            let refused = (!self.presence && self.parts.mqtt.presence_topic.is_some()).then(|| self.presence_refused());
            self.parts
                .reporters
                .session
                .report_with(SessionPhase::Connected, refused, |details| {
                    details.session_present = Some(granted.session_present);
                    details.session_expiry_seconds = Some(expiry);
                });
            connection
        }))
    }

    /// Holds the connection for as long as it lasts.
    async fn stay(&mut self, mut connection: Connection, identity: &Identity) -> Ended {
        let thing = &identity.certificate.thing_name;
        let announced = self.announce(&mut connection, thing, "online");
        loop {
            tokio::select! {
                event = connection.next() => match event {
                    Ok(Event::Acknowledged { packet_id, reason }) => {
                        if Some(packet_id) == announced && reason.code >= 0x80 {
                            self.presence = false;
                            self.parts.reporters.session.report(SessionPhase::Connected, Some(self.presence_refused()));
                        }
                    }
                    Err(lost) => return Ended::Lost(lost),
                },
                Ok(()) = self.parts.inputs.identity.changed() => {
                    let _ = timeout(FAREWELL, connection.close()).await;
                    return Ended::IdentityChanged;
                }
                () = ending(&mut self.parts.inputs.shutdown) => {
                    self.announce(&mut connection, thing, "offline");
                    let _ = timeout(FAREWELL, connection.close()).await;
                    self.parts.reporters.session.report(SessionPhase::Idle, None);
                    return Ended::Shutdown;
                }
            }
        }
    }

    /// What to say of a failed attempt, and how long to wait.
    fn failed(&mut self, error: ConnectError) -> Duration {
        match error {
            ConnectError::Unreachable(problem) => {
                let wait = self.next_backoff();
                self.report_waiting(Some(problem), wait);
                wait
            }
            ConnectError::LostBeforeConnack(seen) => {
                let wait = self.parts.provisioning.lost_before_connack();
                let wait = wait.unwrap_or_else(|| self.next_backoff());
                let next = rfc3339(self.parts.clock.wall() + wait);
                let why = self.parts.provisioning.explain(&seen);
                let session = why.is_none().then(|| {
                    Problem::wait(format!(
                        "{} dropped the connection before CONNACK ({seen})",
                        self.parts.endpoint
                    ))
                });
                self.report_provisioning(why, Some(next));
                self.report_waiting(session, wait);
                wait
            }
            ConnectError::Refused(reason) => {
                // AWS refuses the whole connection when the policy forbids the will's topic.
                let without_will = self.presence && matches!(reason.code, 0x87 | 0x90);
                self.presence = if without_will {
                    false
                } else {
                    self.parts.mqtt.presence_topic.is_some()
                };
                let wait = self.next_backoff().max(BACKOFF.0);
                self.report_waiting(Some(words::refused(&self.parts.endpoint, &reason)), wait);
                wait
            }
        }
    }

    /// Waits; a new identity cuts it short. AWS takes one CONNECT a second from a client ID, whatever the reason.
    async fn pause(&mut self, connected: Instant, wait: Duration) -> Option<()> {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            Ok(()) = self.parts.inputs.identity.changed() => self.parts.inputs.identity.mark_changed(),
            () = ending(&mut self.parts.inputs.shutdown) => return None,
        }
        tokio::select! {
            () = sleep_until(connected + BACKOFF.0) => Some(()),
            () = ending(&mut self.parts.inputs.shutdown) => None,
        }
    }

    fn next_backoff(&mut self) -> Duration {
        self.backoff.next_wait().max(BACKOFF.0)
    }

    fn presence_message(&self, thing: &str, state: &str) -> Option<Message> {
        let topic = self.parts.mqtt.presence_topic.as_ref().filter(|_| self.presence)?;
        let payload = serde_json::json!({ "state": state, "version": env!("CARGO_PKG_VERSION") });
        Some(Message {
            topic: topic.replace("{thing}", thing),
            payload: payload.to_string().into_bytes(),
        })
    }

    fn announce(&self, connection: &mut Connection, thing: &str, state: &str) -> Option<u16> {
        let message = self.presence_message(thing, state)?;
        connection
            .publish(&message)
            .inspect_err(|error| log::debug!("session: presence was not sent: {error}"))
            .ok()
    }

    fn presence_refused(&self) -> Problem {
        words::presence_refused(self.parts.mqtt.presence_topic.as_deref().unwrap_or_default())
    }

    /// While connecting again, the reason for the last failure stays visible.
    fn session_problem(&self) -> Option<Problem> {
        self.parts.reporters.session.watch().borrow().problem.clone()
    }

    fn report_waiting(&self, problem: Option<Problem>, wait: Duration) {
        let next = rfc3339(self.parts.clock.wall() + wait);
        self.parts
            .reporters
            .session
            .report_with(SessionPhase::Waiting, problem, |details| {
                details.next_attempt = Some(next)
            });
    }

    fn report_provisioning(&self, why: Option<Problem>, next: Option<String>) {
        let phase = self.parts.provisioning.phase();
        let why = why.or_else(|| {
            let last = self.parts.reporters.provisioning.watch().borrow().clone();
            (phase != ProvisioningPhase::Provisioned && last.phase == phase)
                .then_some(last.problem)
                .flatten()
        });
        let attempts = self.parts.provisioning.attempts();
        self.parts.reporters.provisioning.report_with(phase, why, |details| {
            *details = ProvisioningDetails {
                attempts,
                next_attempt: next,
            }
        });
    }
}

/// Returns when the daemon ends.
async fn ending(shutdown: &mut watch::Receiver<bool>) {
    // A sender that is gone has ended as well.
    let _ = shutdown.wait_for(|ending| *ending).await;
}
