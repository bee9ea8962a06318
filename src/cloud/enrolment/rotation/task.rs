//! The task of rotation: it passes messages to the state machine, and carries out its actions.

use std::collections::VecDeque;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use log::Level;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::action::{Action, Outcome};
use super::machine::Rotation;
use super::messages::{create_payload, filters, read, rotator_topic};
use crate::atomic_file;
use crate::clock::{SharedClock, rfc3339};
use crate::cloud::enrolment::est_method::renewal_request;
use crate::cloud::enrolment::installation::{Installation, Wanted};
use crate::cloud::enrolment::method::Issued;
use crate::cloud::enrolment::new_key::KeyRenewal;
use crate::cloud::enrolment::record::{moment, seconds};
use crate::config::{Config, IdentityConfig};
use crate::event::{Event, journal};
use crate::identity::{Identity, IdentityReceiver, certificate_id, find_certified};
use crate::messages::{Message, Outbox, OwnItem, OwnSubscriber};
use crate::pem_file;
use crate::problem::Problem;
use crate::status::{RotationDetails, SessionPart, SessionPhase};
use crate::token::{FoundKey, Token};

/// Delay before the machine asks for the job again after a message could not be sent.
const SEND_AGAIN: Duration = Duration::from_secs(2);
/// The reason why nothing can be asked for.
const NO_KEY: &str = "the token has not shown its key yet";
/// Name of the issuer in messages.
const ISSUER: &str = "AWS's certificate rotator";

/// The channels of the task.
pub struct RotationInputs {
    /// The clock.
    pub clock: SharedClock,
    /// The token with the keys.
    pub token: Token,
    /// The identity in use.
    pub identity: IdentityReceiver,
    /// The state of the MQTT session.
    pub session: watch::Receiver<SessionPart>,
    /// Sends the messages of the rotation.
    pub outbox: Outbox,
    /// Receives the messages of the rotation.
    pub subscriber: OwnSubscriber,
}

/// The parts of the task.
pub struct RotationTask {
    machine: Rotation,
    installation: Installation,
    key_renewal: KeyRenewal,
    config: IdentityConfig,
    path: PathBuf,
    /// Whether enrolment runs too, and reports why a certificate keeps its key.
    is_told_by_enrolment: bool,
    inputs: RotationInputs,
    report: watch::Sender<Option<RotationDetails>>,
    /// The open connection: its certificate, and its number since the start.
    connection: Option<(String, u64)>,
    /// The reason why there is no rotation, or why the last one has failed.
    problem: Option<Problem>,
}

impl RotationTask {
    /// Creates the task. The returned channel has the progress of the rotation.
    pub fn new(config: &Config, inputs: RotationInputs) -> (Self, watch::Receiver<Option<RotationDetails>>) {
        let (report, receiver) = watch::channel(Some(RotationDetails::default()));
        let task = Self {
            machine: Rotation::load(config.folders.state.join("rotation.json")),
            installation: Installation::new(config, inputs.clock.clone()),
            key_renewal: KeyRenewal::new(config, inputs.token.clone()),
            config: config.identity.clone(),
            path: config.identity.certificate.clone(),
            is_told_by_enrolment: config.enrolment.automatic_method().is_some(),
            inputs,
            report,
            connection: None,
            problem: None,
        };
        (task, receiver)
    }

    /// Runs until the daemon ends.
    pub async fn run(mut self) {
        loop {
            let thing = self.thing_name();
            if let Some(thing) = &thing {
                let wanted = filters(thing);
                self.inputs.subscriber.filters.send_if_modified(|known| {
                    let is_new = *known != wanted;
                    *known = wanted;
                    is_new
                });
            }
            self.follow_session(thing.as_deref());
            self.act(thing.as_deref()).await;
            self.tell();
            let deadline = self.machine.deadline();
            let due = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                Ok(()) = self.inputs.identity.changed() => {}
                Ok(()) = self.inputs.session.changed() => {}
                () = due => self.machine.time_up(),
                item = self.inputs.subscriber.items.recv() => match item {
                    Some(OwnItem::Message(message)) => {
                        if let Some(thing) = &thing && let Some(incoming) = read(thing, &message.topic, &message.payload) {
                            let previous = std::fs::read_to_string(&self.path).ok();
                            let now = seconds(self.inputs.clock.wall());
                            self.machine.receive(thing, incoming, previous, now);
                        }
                    }
                    Some(OwnItem::Refused(problem)) => self.problem = Some(problem),
                    // The daemon shuts down.
                    None => return,
                },
            }
        }
    }

    fn thing_name(&mut self) -> Option<String> {
        let identity = self.inputs.identity.borrow_and_update();
        identity
            .as_ref()
            .map(|identity| identity.certificate.thing_name.clone())
    }

    /// Reports a connection that has begun or ended to the machine.
    fn follow_session(&mut self, thing: Option<&str>) {
        let connection = {
            let part = self.inputs.session.borrow_and_update();
            let certificate = part.details.certificate_id.clone();
            let is_connected = part.phase == SessionPhase::Connected;
            certificate
                .filter(|_| is_connected)
                .map(|certificate| (certificate, part.details.connects))
        };
        if connection == self.connection {
            return;
        }
        match (&connection, thing) {
            (Some((certificate, _)), Some(thing)) => self.machine.connected(thing, certificate),
            _ => self.machine.disconnected(),
        }
        self.connection = connection;
    }

    /// Carries out the actions of the machine, including those that result from them.
    async fn act(&mut self, thing: Option<&str>) {
        let mut actions: VecDeque<Action> = self.machine.take_actions().into();
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Publish { topic, payload } => self.publish(topic, payload).await,
                Action::Request { job } => match self.request(&job).await {
                    Ok(payload) => {
                        let topic = rotator_topic(thing.unwrap_or_default(), "create");
                        self.publish(topic, payload).await;
                    }
                    Err(reason) => self.machine.fail(reason),
                },
                Action::Install { certificate } => match self.install(&certificate).await {
                    Ok(id) => self.machine.installed(&id),
                    Err(reason) => self.machine.fail(reason),
                },
                Action::Restore { previous } => {
                    if let Err(error) = atomic_file::replace(&self.path, previous.as_bytes()) {
                        let message = format!("{} cannot be written: {error}", self.path.display());
                        self.problem =
                            Some(Problem::configuration(message).next("check the folder's owner and free space"));
                    }
                    self.machine.restored();
                }
                Action::Report { job, outcome } => self.note(&job, outcome),
            }
            actions.extend(self.machine.take_actions());
        }
    }

    /// Publishes at QoS 0, because a message that is sent late would be answered too late.
    async fn publish(&mut self, topic: String, payload: String) {
        let message = Message {
            topic,
            payload: Bytes::from(payload),
            ..Message::default()
        };
        if let Err(problem) = self.inputs.outbox.send_qos0(message).await {
            log::debug!("rotation: not sent: {problem}");
            self.machine.not_sent(Instant::now() + SEND_AGAIN);
        }
    }

    fn in_use(&self) -> Option<Arc<Identity>> {
        self.inputs.identity.borrow().clone()
    }

    /// Returns the device's keys in the token, and the one of the installed certificate.
    fn keys(&self) -> Option<(Vec<FoundKey>, FoundKey)> {
        let keys = self.inputs.token.device_keys().borrow().clone();
        let current = self.installation.current_key(&keys)?;
        Some((keys, current))
    }

    /// Creates the request for a certificate like the one in use, for its key or the next one.
    async fn request(&self, job: &str) -> Result<String, String> {
        let identity = self.in_use().ok_or("there is no certificate in use")?;
        let (_, current) = self.keys().ok_or(NO_KEY)?;
        let next = self.key_renewal.prepare(&current).await;
        let next = next.map_err(|failure| failure.problem.message)?;
        let key = next.map_or_else(|| identity.key.clone(), |next| next.key);
        let csr = renewal_request(&identity, &key).map_err(|failure| failure.problem.message)?;
        Ok(create_payload(
            job,
            &pem_file::encode("CERTIFICATE REQUEST", [csr.as_ref()]),
        ))
    }

    /// Checks the certificate, installs it, and returns its ID.
    async fn install(&self, pem: &str) -> Result<String, String> {
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok);
        let certificates: Vec<CertificateDer<'static>> = certificates.collect();
        let (keys, current) = self.keys().ok_or(NO_KEY)?;
        let installed = self.installation.installed(&current.public.subject_public_key_info());
        // After a power cut it may be in its place already.
        let is_installed =
            |der: &CertificateDer| installed.as_ref().is_some_and(|found| found.id == certificate_id(der));
        if let Some(der) = certificates.iter().find(|der| is_installed(der)) {
            return Ok(certificate_id(der));
        }
        let certified = find_certified(&certificates, &keys);
        let key_info = certified.unwrap_or(&current).public.subject_public_key_info();
        let in_use = self.in_use();
        let wanted = Wanted {
            key_info: &key_info,
            installed: installed.as_ref(),
            in_use: in_use.as_deref(),
        };
        let issued = Issued {
            certificates,
            published: Vec::new(),
            thing_name: self.config.own_thing_name(),
        };
        let offered = self.installation.install(&issued, &wanted, ISSUER).await;
        let offered = offered.map_err(|failure| failure.problem.message)?;
        Ok(offered.certificate.id)
    }

    /// Logs the outcome of a job.
    fn note(&mut self, job: &str, outcome: Outcome) {
        match outcome {
            Outcome::Started => {
                self.problem = None;
                journal!(Level::Info, Event::CertificateRotation; "rotation: job {job} requests a new certificate");
            }
            Outcome::Succeeded => {
                self.problem = None;
                journal!(Level::Info, Event::CertificateRotation; "rotation: job {job} has succeeded");
            }
            Outcome::Failed(reason) => {
                let message = format!("job {job} has brought no new certificate: {reason}");
                let problem = Problem::wait(message).next(
                    "look at the job's status details and at the logs of AWS's certificate rotator; then create another job",
                );
                journal!(Level::Warn, Event::CertificateRotationFailed; "rotation: {problem}");
                self.problem = Some(problem);
            }
        }
    }

    /// Reports the progress of the rotation to the identity's task.
    fn tell(&self) {
        let record = self.machine.record();
        let details = RotationDetails {
            job_id: record.map(|record| record.job.clone()),
            step: record.map(|record| record.step.name()),
            since: record.map(|record| rfc3339(moment(record.since))),
            problem: self.problem.clone(),
            key_problem: self.key_renewal.obstacle().filter(|_| !self.is_told_by_enrolment),
        };
        self.report.send_if_modified(|known| {
            let is_new = known.as_ref() != Some(&details);
            *known = Some(details);
            is_new
        });
    }
}
