//! The state of the session task, which outlives its connections.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::sync::watch;
use tokio::time::Instant;

use super::certificate_rollover::CertificateRollover;
use super::outage::Outage;
use super::reporters::SessionReporters;
use super::takeovers::Takeovers;
use super::timing::CONNECT_INTERVAL;
use super::traffic::Traffic;
use crate::backoff::{Backoff, LONGEST_WAIT};
use crate::clock::SharedClock;
use crate::cloud::connector::Connector;
use crate::cloud::jitp::Provisioning;
use crate::cloud::recovery::{Recovery, RecoveryListener};
use crate::config::{Endpoint, Mqtt};
use crate::identity::{Identity, IdentityReceiver, LastAccepted};
use crate::problem::Problem;
use crate::retry::RetryListener;
use crate::status::{ClockPart, IdentityPart};

/// Channels that the session task reads.
#[derive(Debug)]
pub struct SessionInputs {
    /// Current identity.
    pub identity: IdentityReceiver,
    /// Status of the identity, which says why there is none.
    pub identity_part: watch::Receiver<IdentityPart>,
    /// Status of the clock, which says whether it is set.
    pub clock_part: watch::Receiver<ClockPart>,
    /// Identity that the credentials provider accepted last, and when.
    pub provider_accepted: watch::Receiver<Option<(Arc<Identity>, Instant)>>,
    /// Signals that another attempt may succeed.
    pub recovery: RecoveryListener,
    /// Signals that an operator requests an attempt.
    pub retry: RetryListener,
    /// Settings of `[mqtt]`, which a reload may change.
    pub settings: watch::Receiver<Mqtt>,
    /// Becomes true when the daemon shuts down.
    pub shutdown: watch::Receiver<bool>,
}

/// Returns when the daemon shuts down.
pub(super) async fn wait_for_shutdown(shutdown: &mut watch::Receiver<bool>) {
    // If the sender is gone, the daemon shuts down as well.
    let _ = shutdown.wait_for(|is_shutdown| *is_shutdown).await;
}

/// State of the session task.
#[derive(Debug)]
pub struct Session {
    /// Makes TCP connections.
    pub connector: Connector,
    /// MQTT endpoint.
    pub endpoint: Endpoint,
    /// Protocols that are offered to it by ALPN.
    pub alpn: &'static [&'static str],
    /// Settings of `[mqtt]` that are in use.
    pub mqtt: Mqtt,
    /// Trusted root certificates.
    pub roots: Arc<RootCertStore>,
    /// Clock.
    pub clock: SharedClock,
    /// Channels to read.
    pub inputs: SessionInputs,
    /// Status to write.
    pub reporters: SessionReporters,
    /// Provisioning of the newest certificate.
    pub provisioning: Provisioning,
    /// Identity that AWS accepted last, for tasks that need one AWS knows.
    pub accepted: watch::Sender<Option<Arc<Identity>>>,
    /// Certificate that AWS accepted last, stored across restarts.
    pub last_accepted: LastAccepted,
    /// Trial of a new certificate beside the one in use.
    pub rollover: CertificateRollover,
    /// Everything that is sent and received over connections.
    pub traffic: Traffic,
    /// Backoff between two attempts.
    pub backoff: Backoff,
    /// Tells other tasks when AWS was reached.
    pub recovery: Recovery,
    /// Conclusions from failed attempts.
    pub outage: Outage,
    /// Takeovers of the session by other clients.
    pub takeovers: Takeovers,
    /// Start of the last attempt.
    pub attempted: Instant,
}

impl Session {
    /// Creates the backoff between two attempts: 1 s to 2 min, with full jitter.
    pub fn backoff(random: fastrand::Rng) -> Backoff {
        Backoff::new(CONNECT_INTERVAL, LONGEST_WAIT - CONNECT_INTERVAL, random)
    }

    /// Returns the wait before the next attempt. Jitter is added to the minimum: a fleet that lost its broker must not return in
    /// the same instant.
    pub(super) fn next_backoff(&mut self) -> Duration {
        CONNECT_INTERVAL + self.backoff.next_wait()
    }

    /// Returns whether this is the certificate that provisioning is about, which is the newest one.
    pub(super) fn is_newest(&self, identity: &Identity) -> bool {
        self.provisioning.is_about(&identity.certificate.id)
    }

    /// Publishes `identity` to the tasks that need one AWS knows, if AWS has accepted it. It is never withdrawn: as long as the
    /// credentials provider answers, failures of MQTT do not matter to credentials.
    pub(super) fn publish_if_accepted(&self, identity: &Arc<Identity>) {
        let accepted = self.provisioning.was_accepted();
        self.accepted.send_if_modified(|known| {
            let is_new = accepted && !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, identity));
            if is_new {
                *known = Some(identity.clone());
            }
            is_new
        });
    }

    /// Returns the problem that exists although the session is connected.
    pub(super) fn standing_problem(&self, thing_name: &str) -> Option<Problem> {
        self.takeovers.problem().or_else(|| self.traffic.problem(thing_name))
    }

    /// Returns whether the credentials provider has accepted this certificate since AWS began to drop its MQTT connections.
    pub(super) fn is_active(&self, identity: &Identity) -> bool {
        let accepted = self.inputs.provider_accepted.borrow();
        accepted.as_ref().is_some_and(|(accepted, at)| {
            accepted.certificate.id == identity.certificate.id && self.outage.proves_active(*at)
        })
    }
}
