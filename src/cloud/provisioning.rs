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

use crate::backoff::jitter;
use crate::durable;
use crate::event::{Event, journal};
use crate::identity::SendChain;
use crate::problem::Problem;
use crate::status::ProvisioningPhase;

/// After the first drop. AWS names no figure; its samples and thin-edge.io found a few seconds enough.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// AWS limits CONNECTs to one a second for each client ID, in practice to one in ten seconds
/// (aws-greengrass-nucleus PR #1003).
const PENDING_WAIT: Duration = Duration::from_secs(11);
/// After this many drops provisioning is not merely slow, and the tries become rarer.
const PATIENT_ATTEMPTS: u32 = 12;
/// Between tries from then on; doubles up to the limit.
const SLOW_WAIT: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(300));
/// After this many drops the status says what to look at.
const ADVICE_ATTEMPTS: u32 = 6;
/// So many drops in a row without CONNACK, and AWS has forgotten a gateway that it knew.
const FORGOTTEN_ATTEMPTS: u32 = 3;

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
    /// Drops in a row since the last CONNACK, while provisioned.
    drops: u32,
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
        Self {
            path,
            record,
            drops: 0,
            random,
        }
    }

    /// The machine of a certificate that nothing is known about, whose record is kept nowhere.
    pub fn unrecorded() -> Self {
        Self {
            path: PathBuf::new(),
            record: None,
            drops: 0,
            random: fastrand::Rng::new(),
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
            self.set(Record {
                certificate_id: certificate_id.to_owned(),
                phase: RecordedPhase::FirstContact,
                attempts: 0,
                accepted: false,
            });
        }
    }

    /// Whether AWS has ever accepted this certificate. What it has forgotten since, its credentials provider says itself.
    pub fn was_accepted(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.accepted)
    }

    /// The state's name.
    pub fn phase(&self) -> ProvisioningPhase {
        match self.record.as_ref().map(|record| record.phase) {
            None | Some(RecordedPhase::FirstContact) => ProvisioningPhase::FirstContact,
            Some(RecordedPhase::Pending) => ProvisioningPhase::Pending,
            Some(RecordedPhase::Provisioned) => ProvisioningPhase::Provisioned,
        }
    }

    /// Drops since the first contact.
    pub fn attempts(&self) -> u32 {
        self.record.as_ref().map_or(0, |record| record.attempts)
    }

    /// AWS finds the CA by the chain, so it is sent until the certificate is known.
    pub fn send_chain(&self) -> SendChain {
        match self.phase() {
            ProvisioningPhase::Provisioned => SendChain::Leaf,
            _ => SendChain::Full,
        }
    }

    /// A CONNACK: AWS knows us.
    pub fn accepted(&mut self) {
        self.drops = 0;
        if let Some(mut record) = self
            .record
            .clone()
            .filter(|record| record.phase != RecordedPhase::Provisioned)
        {
            record.phase = RecordedPhase::Provisioned;
            record.attempts = 0;
            record.accepted = true;
            self.set(record);
        }
    }

    /// The connection was lost or hung after TLS and before CONNACK. Returns how long to wait at least before the next one.
    ///
    /// Also where AWS knows us: CONNECTs that follow each other too soon are dropped just so, and would be taken for more.
    pub fn lost_before_connack(&mut self) -> Duration {
        let Some(mut record) = self.record.clone() else {
            return PENDING_WAIT;
        };
        if record.phase == RecordedPhase::Provisioned {
            self.drops += 1;
            if self.drops >= FORGOTTEN_ATTEMPTS {
                self.drops = 0;
                record.phase = RecordedPhase::FirstContact;
                record.attempts = 0;
                self.set(record);
            }
            return self.pending_wait(PENDING_WAIT);
        }
        record.phase = RecordedPhase::Pending;
        record.attempts = record.attempts.saturating_add(1);
        let attempts = record.attempts;
        self.set(record);
        match attempts {
            1 => self.pending_wait(FIRST_WAIT),
            2..=PATIENT_ATTEMPTS => self.pending_wait(PENDING_WAIT),
            _ => {
                let doublings = (attempts - PATIENT_ATTEMPTS - 1).min(8);
                self.pending_wait((SLOW_WAIT.0 * (1 << doublings)).min(SLOW_WAIT.1))
            }
        }
    }

    /// What to say of a connection that was lost: `seen` is what it looked like from here.
    pub fn explain(&self, seen: &str) -> Option<Problem> {
        let attempts = self.attempts();
        match self.phase() {
            ProvisioningPhase::Pending if attempts <= ADVICE_ATTEMPTS => Some(Problem::expected(format!(
                "AWS dropped the connection before CONNACK, as it does while it registers a new certificate ({seen})"
            ))),
            ProvisioningPhase::Pending => Some(
                Problem::configuration(format!("AWS has dropped {attempts} connections before CONNACK ({seen})")).next(
                    "look at the AWS side: is the CA ACTIVE with auto-registration on, does the template's role work, has the \
                     certificate every attribute the template names, is the certificate inactive or revoked? CloudTrail shows \
                     the failed RegisterThing",
                ),
            ),
            ProvisioningPhase::FirstContact if self.record.is_some() => Some(Problem::wait(format!(
                "AWS drops every connection of a certificate that it knew ({seen}); introducing the gateway again"
            ))),
            _ => None,
        }
    }

    /// Jitter only ever lengthens: AWS's limit is a floor.
    fn pending_wait(&mut self, least: Duration) -> Duration {
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
        durable::replace(&self.path, &serde_json::to_vec(record)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(folder: &std::path::Path) -> Provisioning {
        Provisioning::load(folder.join("provisioning.json"), fastrand::Rng::with_seed(11))
    }

    #[test]
    fn promise_2_the_first_drop_is_expected_and_the_second_connection_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = machine(folder.path());
        machine.begin("aa");
        assert_eq!(
            (machine.phase(), machine.send_chain()),
            (ProvisioningPhase::FirstContact, SendChain::Full)
        );
        let wait = machine.lost_before_connack();
        assert!((5..7).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(machine.phase(), ProvisioningPhase::Pending);
        assert_eq!(
            machine.explain("end of stream").unwrap().remedy,
            crate::problem::Remedy::None
        );
        machine.accepted();
        assert_eq!(
            (machine.phase(), machine.send_chain()),
            (ProvisioningPhase::Provisioned, SendChain::Leaf)
        );
    }

    #[test]
    fn tries_keep_aws_limit_then_grow_rare_and_advice_comes() {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = machine(folder.path());
        machine.begin("aa");
        let waits: Vec<Duration> = (0..40).map(|_| machine.lost_before_connack()).collect();
        assert!(
            waits.iter().skip(1).all(|wait| *wait >= Duration::from_secs(10)),
            "{waits:?}"
        );
        assert!(waits.iter().all(|wait| *wait <= SLOW_WAIT.1.mul_f64(1.31)), "{waits:?}");
        assert!(waits.last() > waits.get(5), "{waits:?}");
        let advice = machine.explain("end of stream").unwrap();
        assert!(advice.next_step.unwrap().contains("CA ACTIVE"));
    }

    #[test]
    fn a_restart_goes_on_in_every_state() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = machine(folder.path());
        first.begin("aa");
        let mut steps: Vec<fn(&mut Provisioning)> = vec![|_| {}];
        steps.push(|machine| assert!(machine.lost_before_connack() > Duration::ZERO));
        steps.push(|machine| assert!(machine.lost_before_connack() > Duration::ZERO));
        steps.push(Provisioning::accepted);
        for step in steps {
            step(&mut first);
            let mut again = machine(folder.path());
            again.begin("aa");
            assert_eq!((again.phase(), again.attempts()), (first.phase(), first.attempts()));
        }
        let mut other = machine(folder.path());
        other.begin("bb");
        assert_eq!(
            other.phase(),
            ProvisioningPhase::FirstContact,
            "another certificate is another story"
        );
    }

    #[test]
    fn a_forgotten_gateway_introduces_itself_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = machine(folder.path());
        machine.begin("aa");
        machine.accepted();
        for _ in 1..FORGOTTEN_ATTEMPTS {
            assert!(machine.lost_before_connack() >= Duration::from_secs(10));
            assert_eq!(
                machine.phase(),
                ProvisioningPhase::Provisioned,
                "one lost connection is only that"
            );
        }
        machine.lost_before_connack();
        assert!(machine.was_accepted(), "credentials are still asked for");
        assert_eq!(
            (machine.phase(), machine.send_chain()),
            (ProvisioningPhase::FirstContact, SendChain::Full)
        );
    }

    #[test]
    fn a_damaged_record_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("provisioning.json"), "{\"certificate-id\":").unwrap();
        let mut machine = machine(folder.path());
        machine.begin("aa");
        assert_eq!(machine.phase(), ProvisioningPhase::FirstContact);
    }
}
