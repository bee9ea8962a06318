//! The one persistent MQTT session, and with it the way from first contact to provisioned.
//!
//! One task that connects, stays, and connects again; it never gives up and never hurries.

mod health;
mod pace;
mod presence;
mod publisher;
mod reporters;
mod subscriber;
mod suspects;
mod words;

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

pub use health::Health;
pub use presence::Presence;
pub use publisher::Publisher;
pub use reporters::SessionReporters;
pub use subscriber::Subscriber;
pub(super) use words::{dropped, refused};

use self::health::State;
use super::mqtt::{ConnectError, Connection, Event, Granted, Lost, Options};
use super::provisioning::Provisioning;
use crate::backoff::Backoff;
use crate::clock::SharedClock;
use crate::config::{Endpoint, Mqtt};
use crate::identity::{Identity, IdentityReceiver, SendChain, client_config};
use crate::problem::{Problem, with_causes};
use crate::status::{ClockPart, ClockPhase, IdentityPart, IdentityPhase, ProvisioningPhase, SessionPhase};

/// The least time between two CONNECTs: AWS IoT takes one a second from a client ID (quotas, "Connect requests per second
/// per client ID").
const CONNECT_INTERVAL: Duration = Duration::from_secs(1);
/// The longest time between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// A session that lasted so long was stable; only then does the backoff start anew.
const STABLE: Duration = Duration::from_secs(30);
/// For the farewell: presence and DISCONNECT.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);
/// On port 443 AWS IoT tells MQTT from HTTPS by this (developer guide, "Device communication protocols").
const ALPN_MQTT: &str = "x-amzn-mqtt-ca";

/// TLS to the MQTT endpoint.
pub(super) fn tls(
    endpoint: &Endpoint,
    identity: &Identity,
    roots: &Arc<RootCertStore>,
    chain: SendChain,
    clock: &SharedClock,
) -> Result<Arc<ClientConfig>, Problem> {
    let alpn: &[&str] = if endpoint.port == 443 { &[ALPN_MQTT] } else { &[] };
    client_config(identity, roots.clone(), chain, alpn, clock.clone())
        .map_err(|error| Problem::wait(format!("no TLS: {}", with_causes(&error))))
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
    /// The last identity that AWS has accepted, for those who need AWS to know it.
    pub accepted: watch::Sender<Option<Arc<Identity>>>,
    /// What others hear of us.
    pub presence: Presence,
    /// From the outbox to AWS.
    pub publisher: Publisher,
    /// From AWS to the inbox.
    pub subscriber: Subscriber,
    /// Between two attempts.
    pub backoff: Backoff,
}

/// Why AWS ends connections without anybody's doing: server shutting down, keep-alive timeout, session taken over (there is
/// another device of this name), administrative action (developer guide, "MQTT 5 reason codes").
const NO_MESSAGES_FAULT: [u8; 4] = [0x8b, 0x8d, 0x8e, 0x98];

/// What ended a stay.
enum Ended {
    /// With how long it had lasted.
    Lost(Lost, Duration),
    IdentityChanged,
    Shutdown,
}

impl Session {
    /// The backoff between two attempts: 1 s to 5 min, with full jitter.
    pub fn backoff(random: fastrand::Rng) -> Backoff {
        Backoff::new(CONNECT_INTERVAL, LONGEST_WAIT, random)
    }

    /// Runs until the daemon ends; the session is then closed with a DISCONNECT.
    pub async fn run(mut self) {
        self.presence.remember().await;
        self.subscriber.remember().await;
        while let Some(identity) = self.wait_until_possible().await {
            self.provisioning.begin(&identity.certificate.id);
            self.tell_who_is_accepted(&identity);
            self.reporters.provisioning(&self.provisioning, None, None);
            let wait = match self.connect(&identity).await {
                None => return,
                Some(Ok((connection, granted))) => {
                    self.connected(granted).await;
                    let ended = self.stay(connection, &identity).await;
                    self.disconnected(&ended).await;
                    match ended {
                        Ended::Shutdown => return,
                        Ended::IdentityChanged => CONNECT_INTERVAL,
                        Ended::Lost(lost, lasted) => self.lost(&lost, lasted),
                    }
                }
                Some(Err(error)) => self.failed(error),
            };
            if self.pause(wait).await.is_none() {
                return;
            }
        }
    }

    /// The identity, once there is one and the clock lets TLS trust anybody; `None` when the daemon ends.
    async fn wait_until_possible(&mut self) -> Option<Arc<Identity>> {
        loop {
            let identity = self.inputs.identity.borrow_and_update().clone();
            let clock_set = self.inputs.clock_part.borrow_and_update().phase == ClockPhase::Set;
            let phase = match &identity {
                Some(identity) if clock_set => return Some(identity.clone()),
                Some(_) => ProvisioningPhase::WaitingForClock,
                None => match self.inputs.identity_part.borrow_and_update().phase {
                    IdentityPhase::NoKey => ProvisioningPhase::NoKey,
                    _ => ProvisioningPhase::NoCertificate,
                },
            };
            // Why is said, and logged, by the room in which it arose.
            self.reporters.provisioning.report(phase, None);
            self.reporters.session.report(SessionPhase::Idle, None);
            tokio::select! {
                () = ending(&mut self.inputs.shutdown) => return None,
                Ok(()) = self.inputs.identity.changed() => {}
                Ok(()) = self.inputs.identity_part.changed() => {}
                Ok(()) = self.inputs.clock_part.changed() => {}
            }
        }
    }

    /// One attempt; `None` when the daemon ends meanwhile.
    async fn connect(&mut self, identity: &Arc<Identity>) -> Option<Result<(Connection, Granted), ConnectError>> {
        let chain = self.provisioning.send_chain();
        let tls = match tls(&self.endpoint, identity, &self.roots, chain, &self.clock) {
            Ok(tls) => tls,
            Err(problem) => return Some(Err(ConnectError::Unreachable(problem))),
        };
        let thing = identity.certificate.thing_name.clone();
        let options = Options {
            client_id: thing.clone(),
            keep_alive: self.mqtt.keep_alive,
            session_expiry: self.mqtt.session_expiry,
            will: self.presence.will(&thing),
        };
        self.presence.try_again_in_time();
        self.reporters.connecting(thing);
        let outcome = tokio::select! {
            outcome = Connection::open(&self.endpoint, tls, &options) => outcome,
            () = ending(&mut self.inputs.shutdown) => return None,
        };
        Some(outcome.map(|(connection, granted)| {
            self.provisioning.accepted();
            self.tell_who_is_accepted(identity);
            self.reporters.provisioning(&self.provisioning, None, None);
            self.reporters.connected(granted, self.presence.refusal());
            (connection, granted)
        }))
    }

    /// Credentials are asked for with the last identity that AWS has accepted. It is never taken back: as long as the
    /// credentials provider answers, what MQTT has to suffer does not matter.
    fn tell_who_is_accepted(&self, identity: &Arc<Identity>) {
        let accepted = self.provisioning.was_accepted();
        self.accepted.send_if_modified(|known| {
            let news = accepted && !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, identity));
            if news {
                *known = Some(identity.clone());
            }
            news
        });
    }

    /// A connection, which everybody who has something to send is told of.
    async fn connected(&mut self, granted: Granted) {
        self.publisher.connected(granted.receive_maximum);
        self.subscriber.connected(granted.session_present).await;
    }

    /// Its end.
    async fn disconnected(&mut self, ended: &Ended) {
        let code = match ended {
            Ended::Lost(Lost::Disconnected(reason), _) => Some(reason.code),
            _ => None,
        };
        let suspicious =
            matches!(ended, Ended::Lost(..)) && !code.is_some_and(|code| NO_MESSAGES_FAULT.contains(&code));
        self.presence.disconnected(code);
        self.subscriber.disconnected(suspicious);
        self.publisher.disconnected(suspicious).await;
    }

    /// Holds the connection for as long as it lasts.
    async fn stay(&mut self, mut connection: Connection, identity: &Identity) -> Ended {
        let thing = &identity.certificate.thing_name;
        let since = Instant::now();
        self.presence.announce(&mut connection, thing, State::Online);
        loop {
            self.subscriber.go_on(&mut connection);
            tokio::select! {
                event = connection.next() => match event {
                    Ok(event) => self.happened(event, &mut connection, thing).await,
                    Err(lost) => return Ended::Lost(lost, since.elapsed()),
                },
                next = self.publisher.next() => self.publisher.send(next, &mut connection).await,
                taken = self.subscriber.something_to_do() => for packet_id in taken {
                    connection.acknowledge(packet_id);
                },
                () = self.presence.due() => {
                    self.presence.try_again_in_time();
                    self.presence.announce(&mut connection, thing, State::Online);
                }
                Ok(()) = self.inputs.identity.changed() => {
                    let _ = timeout(FAREWELL, connection.close()).await;
                    return Ended::IdentityChanged;
                }
                () = ending(&mut self.inputs.shutdown) => {
                    self.presence.announce(&mut connection, thing, State::Offline);
                    let _ = timeout(FAREWELL, connection.close()).await;
                    self.reporters.session.report(SessionPhase::Idle, None);
                    return Ended::Shutdown;
                }
            }
        }
    }

    /// What has come from AWS, to whom it concerns.
    async fn happened(&mut self, event: Event, connection: &mut Connection, thing: &str) {
        match event {
            Event::Received { packet_id, message } => {
                self.publisher.spent();
                self.subscriber.received(packet_id, message);
            }
            Event::Subscribed {
                packet_id,
                codes,
                words,
            } => self.subscriber.subscribed(packet_id, &codes, words).await,
            Event::Unsubscribed { packet_id } => self.subscriber.unsubscribed(packet_id).await,
            Event::Acknowledged { packet_id, reason } => match self.presence.answered(packet_id, reason.code).await {
                None => self.publisher.answered(packet_id, &reason).await,
                Some(false) => {}
                Some(true) => {
                    self.reporters
                        .session
                        .report(SessionPhase::Connected, self.presence.refusal());
                    // Perhaps it is allowed in another manner.
                    self.presence.announce(connection, thing, State::Online);
                }
            },
        }
    }

    /// What to say of a connection that was lost, and how long to wait.
    fn lost(&mut self, lost: &Lost, lasted: Duration) -> Duration {
        if lasted >= STABLE {
            self.backoff.reset();
            self.presence.allow();
        }
        let wait = self.next_backoff();
        let problem = words::lost(&self.endpoint, lost);
        self.reporters.waiting(Some(problem), self.clock.wall() + wait);
        wait
    }

    /// What to say of a failed attempt, and how long to wait.
    fn failed(&mut self, error: ConnectError) -> Duration {
        self.publisher.not_reached();
        self.subscriber.not_reached();
        let (problem, wait) = match error {
            ConnectError::Unreachable(problem) => (Some(problem), self.next_backoff()),
            ConnectError::LostBeforeConnack(seen) => {
                let least = self.provisioning.lost_before_connack();
                let wait = least.max(self.backoff_if_known());
                let why = self.provisioning.explain(&seen);
                // What provisioning has to say of it need not be said twice.
                let problem = why.is_none().then(|| words::dropped(&self.endpoint, &seen));
                self.reporters
                    .provisioning(&self.provisioning, why, Some(self.clock.wall() + wait));
                (problem, wait)
            }
            ConnectError::Refused(reason) => {
                // AWS refuses the whole connection when the policy forbids the will's topic.
                if matches!(reason.code, 0x87 | 0x90) {
                    self.presence.try_another_way();
                }
                (Some(words::refused(&self.endpoint, &reason)), self.next_backoff())
            }
        };
        self.reporters.waiting(problem, self.clock.wall() + wait);
        wait
    }

    /// Waits; a new identity cuts it short. AWS takes one CONNECT a second from a client ID, whatever the reason.
    async fn pause(&mut self, wait: Duration) -> Option<()> {
        let earliest = Instant::now() + CONNECT_INTERVAL;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            Ok(()) = self.inputs.identity.changed() => {}
            () = ending(&mut self.inputs.shutdown) => return None,
        }
        tokio::select! {
            () = sleep_until(earliest) => Some(()),
            () = ending(&mut self.inputs.shutdown) => None,
        }
    }

    /// Jitter comes on top of the floor: a fleet that lost its broker must not come back in the same instant.
    fn next_backoff(&mut self) -> Duration {
        CONNECT_INTERVAL + self.backoff.next_wait()
    }

    /// While AWS does not know us, provisioning has a pace of its own.
    fn backoff_if_known(&mut self) -> Duration {
        match self.provisioning.phase() {
            ProvisioningPhase::Provisioned => self.next_backoff(),
            _ => Duration::ZERO,
        }
    }
}

/// Returns when the daemon ends.
async fn ending(shutdown: &mut watch::Receiver<bool>) {
    // A sender that is gone has ended as well.
    let _ = shutdown.wait_for(|ending| *ending).await;
}
