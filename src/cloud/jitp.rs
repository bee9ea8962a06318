//! Just-in-time provisioning as a state machine: what a lost connection means, and when the next one may be made.
//!
//! AWS registers an unknown certificate at its first connection and drops that connection without a CONNACK; nothing on
//! the wire tells this drop from an inactive certificate or a forbidden client ID, and nothing but a later CONNACK says
//! "done". So every drop is met with patience first and with advice later. The machine holds no timer and no socket; its
//! record is on disk, so that a reboot goes on where it stopped.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use log::Level;
use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::backoff::{Backoff, LONGEST_WAIT, jitter};
use crate::event::{Event, journal};
use crate::identity::SendChain;
use crate::problem::Problem;
use crate::status::ProvisioningPhase;

/// After the first drop. AWS names no figure; its samples and thin-edge.io found a few seconds enough.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// AWS limits CONNECTs to one a second for each client ID, in practice to one in ten seconds
/// (aws-greengrass-nucleus PR #1003).
const CLIENT_ID_INTERVAL: Duration = Duration::from_secs(10);
/// After this many drops provisioning is not merely slow, and the tries become rarer.
const PATIENT_ATTEMPTS: u32 = 12;
/// The longest wait between tries from then on doubles from the first of these to the second.
const SLOW_WAIT: (Duration, Duration) = (Duration::from_secs(30), LONGEST_WAIT);
/// After this many drops the status says what to look at.
const ADVICE_ATTEMPTS: u32 = 6;
/// After so many drops in a row the chain is sent to AWS even though it has accepted the certificate before: if the certificate
/// was deleted there, just-in-time provisioning registers it again, and finds the CA by the chain.
const CHAIN_DROPS: u32 = 3;
/// After so many drops in a row, minutes at least, somebody should look at a certificate that AWS has accepted before.
const ATTENTION_DROPS: u32 = 10;

/// What survives a reboot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Record {
    certificate_id: String,
    phase: RecordedPhase,
    attempts: u32,
    /// Whether AWS has ever accepted a connection with this certificate.
    #[serde(default)]
    accepted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RecordedPhase {
    FirstContact,
    Pending,
    Provisioned,
}

/// The machine and its record.
#[derive(Debug)]
pub struct Provisioning {
    path: PathBuf,
    record: Option<Record>,
    /// Drops in a row since the last CONNACK, of a certificate that AWS has accepted before.
    drops: u32,
    /// Between them.
    backoff: Backoff,
    random: fastrand::Rng,
}

impl Provisioning {
    /// The machine as the record at `path` left it. A record that cannot be read costs one first contact, nothing more.
    pub fn load(path: PathBuf, random: fastrand::Rng) -> Self {
        let record = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| journal!(Level::Warn, Event::StateDamaged; "provisioning: {} is damaged in line {} and is begun anew", path.display(), error.line()))
                .ok(),
            Err(_) => None,
        };
        Self::new(path, record, random)
    }

    /// The machine of a certificate that nothing is known about, whose record is kept nowhere.
    pub fn unrecorded() -> Self {
        Self::new(PathBuf::new(), None, fastrand::Rng::new())
    }

    fn new(path: PathBuf, record: Option<Record>, mut random: fastrand::Rng) -> Self {
        Self {
            path,
            record,
            drops: 0,
            backoff: Backoff::new(CLIENT_ID_INTERVAL, LONGEST_WAIT - CLIENT_ID_INTERVAL, random.fork()),
            random,
        }
    }

    /// Whether the record is about the certificate of this ID.
    pub fn is_about(&self, certificate_id: &str) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.certificate_id == certificate_id)
    }

    /// Goes on with the certificate of this ID: from the record if it is about this certificate, else from first contact.
    pub fn begin(&mut self, certificate_id: &str) {
        if !self.is_about(certificate_id) {
            self.drops = 0;
            self.backoff.reset();
            self.set(Record {
                certificate_id: certificate_id.to_owned(),
                phase: RecordedPhase::FirstContact,
                attempts: 0,
                accepted: false,
            });
        }
    }

    /// Whether AWS has ever accepted this certificate, by the record. Every decision whether AWS knows the certificate goes by
    /// this alone: dropped connections prove nothing, because AWS also drops them when a quota is exceeded.
    pub fn was_accepted(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.accepted)
    }

    /// The state's name.
    pub fn phase(&self) -> ProvisioningPhase {
        match self.record.as_ref() {
            Some(record) if record.accepted => ProvisioningPhase::Provisioned,
            Some(record) => match record.phase {
                RecordedPhase::FirstContact => ProvisioningPhase::FirstContact,
                RecordedPhase::Pending => ProvisioningPhase::Pending,
                RecordedPhase::Provisioned => ProvisioningPhase::Provisioned,
            },
            None => ProvisioningPhase::FirstContact,
        }
    }

    /// Drops since the first contact.
    pub fn attempts(&self) -> u32 {
        match self.was_accepted() {
            true => 0,
            false => self.record.as_ref().map_or(0, |record| record.attempts),
        }
    }

    /// AWS finds the CA by the chain, so it is sent until AWS has accepted the certificate, and again when it seems to have
    /// forgotten it.
    pub fn send_chain(&self) -> SendChain {
        match self.phase() {
            ProvisioningPhase::Provisioned if self.drops < CHAIN_DROPS => SendChain::Leaf,
            _ => SendChain::Full,
        }
    }

    /// A CONNACK: AWS has accepted the certificate.
    pub fn accepted(&mut self) {
        self.drops = 0;
        let done = |record: &Record| record.accepted && record.phase == RecordedPhase::Provisioned;
        if let Some(mut record) = self.record.clone().filter(|record| !done(record)) {
            record.phase = RecordedPhase::Provisioned;
            record.attempts = 0;
            record.accepted = true;
            self.set(record);
        }
    }

    /// AWS answered CONNECT with a refusal: it does not drop every connection.
    pub fn answered(&mut self) {
        self.drops = 0;
    }

    /// A connection as this certificate lasted long enough to count as stable: the waits begin small again.
    pub fn stable(&mut self) {
        self.backoff.reset();
    }

    /// The connection was lost or hung after TLS and before CONNACK. Returns how long to wait before the next one.
    ///
    /// Never less than AWS's limit for one client ID, but after the very first drop: CONNECTs that follow each other too soon are
    /// dropped just so. A certificate that AWS has accepted before backs off with full jitter for as long as it takes, so that a fleet whose
    /// CONNECTs are dropped for exceeding a quota does not stay together.
    pub fn lost_before_connack(&mut self) -> Duration {
        let Some(mut record) = self.record.clone() else {
            return self.at_least(CLIENT_ID_INTERVAL);
        };
        if record.accepted {
            self.drops = self.drops.saturating_add(1);
            return CLIENT_ID_INTERVAL + self.backoff.next_wait();
        }
        record.phase = RecordedPhase::Pending;
        record.attempts = record.attempts.saturating_add(1);
        let attempts = record.attempts;
        self.set(record);
        match attempts {
            1 => self.at_least(FIRST_WAIT),
            2..=PATIENT_ATTEMPTS => self.at_least(CLIENT_ID_INTERVAL),
            _ => {
                let doublings = (attempts - PATIENT_ATTEMPTS - 1).min(8);
                let longest = (SLOW_WAIT.0 * (1 << doublings)).min(SLOW_WAIT.1);
                CLIENT_ID_INTERVAL + (longest - CLIENT_ID_INTERVAL).mul_f64(self.random.f64())
            }
        }
    }

    /// What to say of a connection that was lost before CONNACK: `seen` is what it looked like from here; `is_active` whether
    /// the credentials provider has accepted the certificate meanwhile. `None` where provisioning has nothing to do with it.
    ///
    /// No message counts the drops: each would be news.
    pub fn explain(&self, seen: &str, is_active: bool) -> Option<Problem> {
        if self.was_accepted() {
            return self.explain_accepted(seen, is_active);
        }
        match self.attempts() {
            0 => None,
            1..=ADVICE_ATTEMPTS => Some(Problem::expected(format!(
                "AWS dropped the connection before CONNACK, as it does while it registers a new certificate ({seen})"
            ))),
            _ => Some(
                Problem::configuration(format!(
                    "AWS has dropped every connection of this certificate before CONNACK, and has never accepted one ({seen})"
                ))
                .next(
                    "look at the AWS side: is the CA ACTIVE with auto-registration on, does the template's role work, has the \
                     certificate every attribute the template names, is the certificate inactive or revoked? CloudTrail shows \
                     the failed RegisterThing",
                ),
            ),
        }
    }

    fn explain_accepted(&self, seen: &str, is_active: bool) -> Option<Problem> {
        if self.drops < CHAIN_DROPS {
            return None;
        }
        if is_active {
            return Some(Problem::wait(format!(
                "AWS takes no connection now ({seen}); the certificate is active, because the credentials provider accepts it"
            )));
        }
        let message = format!(
            "AWS drops every connection of this certificate, which it has accepted before ({seen}); the certificate may have \
             been deactivated, revoked or deleted, or a quota for connections is exceeded"
        );
        let problem = match self.drops < ATTENTION_DROPS {
            true => Problem::wait(message),
            false => Problem::configuration(message),
        };
        Some(problem.next(
            "look at the AWS side: is the certificate ACTIVE, and does its policy allow iot:Connect? CloudWatch's metric \
             Connect.Throttle shows an exceeded quota",
        ))
    }

    /// Jitter only ever lengthens: AWS's limit is a floor.
    fn at_least(&mut self, least: Duration) -> Duration {
        jitter(least.mul_f64(1.15), 0.13, &mut self.random)
    }

    fn set(&mut self, record: Record) {
        if let Err(error) = self.write(&record) {
            journal!(
                Level::Warn, Event::StateUnwritable;
                "provisioning: {} cannot be written; after a restart provisioning begins anew: {error}",
                self.path.display()
            );
        }
        self.record = Some(record);
    }

    fn write(&self, record: &Record) -> std::io::Result<()> {
        atomic_file::replace(&self.path, &serde_json::to_vec(record)?)
    }
}

#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod tests;
