//! Just-in-time provisioning (JITP) as a state machine: what a lost connection means, and when the next attempt may be made.
//!
//! AWS registers an unknown certificate at its first connection, and drops that connection without CONNACK. An inactive certificate or
//! a forbidden client ID looks the same, and only a later CONNACK proves success. Drops are therefore expected at first, and reported
//! with advice later. The state machine has no timers and no sockets. Its record is on disk, so a reboot resumes provisioning.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::{Backoff, LONGEST_WAIT, jitter};
use crate::cloud::state_file::StateFile;
use crate::config::Folders;
use crate::identity::SendChain;
use crate::problem::Problem;
use crate::status::ProvisioningPhase;

/// Wait after the first drop. AWS documents no figure; for its samples and for thin-edge.io a few seconds are enough.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Minimum time between two CONNECTs of a client ID: AWS allows one per second, in practice one in ten seconds
/// (aws-greengrass-nucleus PR #1003).
const CLIENT_ID_INTERVAL: Duration = Duration::from_secs(10);
/// Number of drops after which provisioning is not merely slow, so that attempts become rarer.
const FAST_ATTEMPTS: u32 = 12;
/// Longest wait from then on: it doubles with each drop from the first value to the second.
const SLOW_WAIT: (Duration, Duration) = (Duration::from_secs(30), LONGEST_WAIT);
/// Number of drops after which the status says what to check.
const ADVICE_ATTEMPTS: u32 = 6;
/// Number of drops in a row after which the chain is sent although AWS has accepted the certificate before. If the certificate was
/// deleted, just-in-time provisioning registers it again, and finds the CA by the chain.
const CHAIN_DROPS: u32 = 3;
/// Number of drops in a row, over several minutes, after which a certificate that AWS has accepted before needs attention.
const ATTENTION_DROPS: u32 = 10;

/// Returns the path of the record.
pub fn record_path(folders: &Folders) -> PathBuf {
    folders.state.join("provisioning.json")
}

/// State of provisioning on disk.
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

/// The state machine and its record.
#[derive(Debug)]
pub struct Provisioning {
    file: StateFile<Record>,
    record: Option<Record>,
    /// Number of drops in a row since the last CONNACK, of a certificate that AWS has accepted before.
    drops: u32,
    /// Backoff between these drops.
    backoff: Backoff,
    random: fastrand::Rng,
}

impl Provisioning {
    /// Loads the record at `path`. If it cannot be read, provisioning starts with the first contact.
    pub fn load(path: PathBuf, random: fastrand::Rng) -> Self {
        let file = record_file(path);
        let record = file.read();
        Self::new(file, record, random)
    }

    /// Creates the state of an unknown certificate, without a record on disk.
    pub fn unrecorded() -> Self {
        Self::new(record_file(PathBuf::new()), None, fastrand::Rng::new())
    }

    fn new(file: StateFile<Record>, record: Option<Record>, mut random: fastrand::Rng) -> Self {
        Self {
            file,
            record,
            drops: 0,
            backoff: Backoff::new(CLIENT_ID_INTERVAL, LONGEST_WAIT - CLIENT_ID_INTERVAL, random.fork()),
            random,
        }
    }

    /// Returns whether the record is about the certificate with this ID.
    pub fn is_about(&self, certificate_id: &str) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.certificate_id == certificate_id)
    }

    /// Continues with the certificate with this ID: from the record if it is about this certificate, else with the first contact.
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

    /// Returns whether AWS has ever accepted this certificate, according to the record. Nothing else decides whether AWS knows the
    /// certificate: dropped connections prove nothing, because AWS also drops them when a quota is exceeded.
    pub fn was_accepted(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.accepted)
    }

    /// Returns the phase for the status.
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

    /// Returns the number of drops since the first contact.
    pub fn attempts(&self) -> u32 {
        match self.was_accepted() {
            true => 0,
            false => self.record.as_ref().map_or(0, |record| record.attempts),
        }
    }

    /// Returns which certificates to send. AWS finds the CA by the chain, so the chain is sent until AWS has accepted the certificate,
    /// and again when AWS seems to have deleted it.
    pub fn send_chain(&self) -> SendChain {
        match self.phase() {
            ProvisioningPhase::Provisioned if self.drops < CHAIN_DROPS => SendChain::Leaf,
            _ => SendChain::Full,
        }
    }

    /// Records CONNACK: AWS has accepted the certificate.
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

    /// Records that AWS refused a connection in CONNACK, so it does not drop every connection.
    pub fn answered(&mut self) {
        self.drops = 0;
    }

    /// Records a stable connection with this certificate, which resets the backoff.
    pub fn stable(&mut self) {
        self.backoff.reset();
    }

    /// Records a connection that was lost or silent after TLS and before CONNACK. Returns the wait before the next attempt.
    ///
    /// Except after the very first drop, the wait is at least AWS's limit for one client ID, because AWS also drops CONNECTs that
    /// follow each other too soon. A certificate that AWS has accepted before backs off with full jitter, so that a fleet whose
    /// CONNECTs exceed a quota spreads.
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
            2..=FAST_ATTEMPTS => self.at_least(CLIENT_ID_INTERVAL),
            _ => {
                let doublings = (attempts - FAST_ATTEMPTS - 1).min(8);
                let longest = (SLOW_WAIT.0 * (1 << doublings)).min(SLOW_WAIT.1);
                CLIENT_ID_INTERVAL + (longest - CLIENT_ID_INTERVAL).mul_f64(self.random.f64())
            }
        }
    }

    /// Returns the problem of a connection that was lost before CONNACK, or `None` if provisioning is not the cause. `seen` describes
    /// the loss; `is_active` says whether the credentials provider has accepted the certificate meanwhile.
    ///
    /// Messages do not contain the number of drops, because each change of a problem is logged.
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
                "AWS accepts no connection now ({seen}); the certificate is active, because the credentials provider accepts it"
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

    /// Returns `least` with jitter, which only lengthens it.
    fn at_least(&mut self, least: Duration) -> Duration {
        jitter(least.mul_f64(1.15), 0.13, &mut self.random)
    }

    fn set(&mut self, record: Record) {
        self.file.write(&record);
        self.record = Some(record);
    }
}

fn record_file(path: PathBuf) -> StateFile<Record> {
    StateFile::new(path, "provisioning", "after a restart provisioning starts over")
}

#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod tests;
