//! The one persistent MQTT session, and with it the way from first contact to provisioned.
//!
//! One task that connects, stays, and connects again; it never gives up and never hurries.

mod connecting;

mod certificate_rollover;
mod connected;
mod filter_breaches;
mod inbound;
mod incoming_poison;
mod outage;
mod poison_detector;
mod presence;
mod presence_report;
mod problems;
mod publish_rate;
mod publisher;
mod reporters;
mod settings;
mod subscriber;
mod takeovers;
#[cfg(test)]
mod testing;
mod traffic;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tokio::sync::watch;
use tokio::time::Instant;

pub use certificate_rollover::CertificateRollover;
pub(super) use outage::FailureKind;
pub use outage::Outage;
pub use presence::Presence;
pub use presence_report::PresenceReport;
pub(super) use problems::{dropped, not_mqtt, refused};
pub use publisher::Publisher;
pub use reporters::SessionReporters;
pub use subscriber::Subscriber;
pub use takeovers::Takeovers;
pub use traffic::Traffic;

use self::certificate_rollover::Successful;
use self::connected::Ended;
use super::jitp::Provisioning;
use super::mqtt::{Connection, Terms};
use super::recovery::{Recovery, RecoveryListener};
use crate::backoff::{Backoff, LONGEST_WAIT};
use crate::clock::SharedClock;
use crate::config::{Endpoint, Mqtt};
use crate::identity::{Identity, IdentityReceiver, LastAccepted, SendChain, client_config};
use crate::problem::{Problem, with_causes};
use crate::retry::RetryListener;
use crate::status::{ClockPart, ClockPhase, IdentityPart, IdentityPhase, ProvisioningPhase, SessionPhase};

/// The least time between two CONNECTs: AWS IoT takes one a second from a client ID (quotas, "Connect requests per second
/// per client ID").
pub(super) const CONNECT_INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two CONNECTs where an operator asks for the second one: just-in-time provisioning takes one in ten
/// seconds from a client ID.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);
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
    client_config(identity, roots.clone(), chain, alpn(endpoint), clock.clone())
        .map_err(|error| Problem::wait(format!("no TLS: {}", with_causes(&error))))
}

/// Returns the ALPN protocols to offer the MQTT endpoint: none except on port 443.
pub(super) fn alpn(endpoint: &Endpoint) -> &'static [&'static str] {
    if endpoint.port == 443 { &[ALPN_MQTT] } else { &[] }
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
    /// Whom the credentials provider has accepted last, and when.
    pub provider_accepted: watch::Receiver<Option<(Arc<Identity>, Instant)>>,
    /// Says when another attempt is worth it.
    pub recovery: RecoveryListener,
    /// Says when an operator wants one.
    pub retry: RetryListener,
    /// The settings, which a reload may change.
    pub settings: watch::Receiver<Mqtt>,
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
    /// Its certificate, through restarts.
    pub proven: LastAccepted,
    /// The certificate that is to follow it.
    pub successor: CertificateRollover,
    /// Everything that goes over its connections.
    pub traffic: Traffic,
    /// Between two attempts.
    pub backoff: Backoff,
    /// Tells others when AWS was reached.
    pub recovery: Recovery,
    /// What the failed attempts say.
    pub outage: Outage,
    /// Who else uses this thing name.
    pub takeovers: Takeovers,
    /// When the last attempt was begun.
    pub attempted: Instant,
}

impl Session {
    /// The backoff between two attempts: 1 s to 2 min, with full jitter.
    pub fn backoff(random: fastrand::Rng) -> Backoff {
        Backoff::new(CONNECT_INTERVAL, LONGEST_WAIT - CONNECT_INTERVAL, random)
    }

    /// Runs until the daemon ends; the session is then closed with a DISCONNECT.
    pub async fn run(mut self) {
        self.traffic.remember().await;
        while let Some(newest) = self.wait_until_possible().await {
            self.take_settings();
            self.begin(&newest);
            let identity = self.whom_to_be(newest);
            let wait = match self.connect(&identity).await {
                None => return,
                Some(Ok((connection, granted))) => match self.remain(connection, granted, identity).await {
                    Ended::Lost(lost, lasted) => self.lost(&lost, lasted),
                    Ended::Shutdown => return,
                    Ended::IdentityChanged | Ended::SettingsChanged => CONNECT_INTERVAL,
                },
                Some(Err(error)) => self.failed(error, &identity),
            };
            if self.pause(wait).await.is_none() {
                return;
            }
        }
    }

    /// Stays on a connection, and on each that a successor puts in its place.
    async fn remain(&mut self, mut connection: Connection, mut granted: Terms, mut identity: Arc<Identity>) -> Ended {
        loop {
            self.connected(granted).await;
            self.takeovers.connected(Instant::now());
            match self.stay(connection, &identity).await {
                ControlFlow::Continue(next) => {
                    self.traffic.disconnected(None).await;
                    Successful {
                        connection,
                        granted,
                        identity,
                    } = next;
                }
                ControlFlow::Break(ended) => {
                    self.takeovers.disconnected();
                    // What was announced while the connection lasted is no reason to hurry now.
                    self.inputs.recovery.mark_heard();
                    self.traffic.disconnected(ended.lost()).await;
                    return ended;
                }
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
}

/// Returns when the daemon ends.
async fn ending(shutdown: &mut watch::Receiver<bool>) {
    // A sender that is gone has ended as well.
    let _ = shutdown.wait_for(|ending| *ending).await;
}
