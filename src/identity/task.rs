//! Writes the signing request, waits for the certificate, and keeps the identity up to date.

use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::sync::watch;

use super::certificate::{Certificate, Loaded, Source};
use super::device_identity::Identity;
use super::error::CertificateError;
use super::files::Files;
use super::key_choice::choose_key;
use super::last_accepted::LastAccepted;
use super::request;
use super::signing_key::TokenKey;
use crate::clock::{SharedClock, is_set, rfc3339};
use crate::config::{Folders, IdentityConfig};
use crate::event::{Event, journal};
use crate::problem::{Problem, Remedy};
use crate::retry::RetryListener;
use crate::status::{EnrolmentDetails, IdentityDetails, IdentityPhase, Reporter, RotationDetails};
use crate::token::{FoundKey, Token};

/// The wait before the token is asked again to sign the request.
const REQUEST_RETRY: Duration = Duration::from_secs(30);
/// The longest wait before the validity is checked again, because timers do not follow steps of the wall clock.
const CHECK_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// Reports the status of the identity.
pub type IdentityReporter = Reporter<IdentityPhase, IdentityDetails>;

/// A channel with the identity, and each new one after it.
pub type IdentityReceiver = watch::Receiver<Option<Arc<Identity>>>;

/// Validity is in whole seconds, so a timer must not fire within the last one.
const ROUNDING: Duration = Duration::from_secs(1);

/// Keeps the identity up to date.
pub struct IdentityTask {
    config: IdentityConfig,
    request_path: std::path::PathBuf,
    token: Token,
    clock: SharedClock,
    steps: watch::Receiver<u64>,
    reporter: IdentityReporter,
    identity: watch::Sender<Option<Arc<Identity>>>,
    /// The signing request in PEM, once it is written.
    request: watch::Sender<Option<Arc<str>>>,
    files: Files,
    last_accepted: LastAccepted,
    /// The state of enrolment, with the reason why it has not obtained a certificate yet.
    enrolment: watch::Receiver<Option<EnrolmentDetails>>,
    /// The state of a rotation that a job of AWS IoT asks for.
    rotation: watch::Receiver<Option<RotationDetails>>,
    /// Whether the identity was accepted while its validity could not be checked.
    accepted_with_clock_unset: bool,
}

impl IdentityTask {
    /// Creates the task, and the channel with the identity.
    pub fn new(
        config: IdentityConfig,
        folders: &Folders,
        files: Files,
        token: Token,
        clock: SharedClock,
        steps: watch::Receiver<u64>,
        reporter: IdentityReporter,
    ) -> (Self, IdentityReceiver) {
        let (identity, receiver) = watch::channel(None);
        let request_path = request_path(folders);
        let last_accepted = LastAccepted::new(folders, &config);
        let task = Self {
            config,
            request_path,
            token,
            clock,
            steps,
            reporter,
            identity,
            request: watch::Sender::new(None),
            files,
            last_accepted,
            enrolment: watch::channel(None).1,
            rotation: watch::channel(None).1,
            accepted_with_clock_unset: false,
        };
        (task, receiver)
    }

    /// Returns a receiver of the signing request in PEM.
    pub fn watch_request(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.request.subscribe()
    }

    /// Reports the problem of enrolment instead of the advice to have the request signed.
    pub fn follow_enrolment(&mut self, enrolment: watch::Receiver<Option<EnrolmentDetails>>) {
        self.enrolment = enrolment;
    }

    /// Shows the state of rotations in the status.
    pub fn follow_rotation(&mut self, rotation: watch::Receiver<Option<RotationDetails>>) {
        self.rotation = rotation;
    }

    /// Runs as long as the daemon. An operator may have everything looked at again by `retry`.
    pub async fn run(mut self, mut retry: RetryListener) {
        let mut device_keys = self.token.device_keys();
        loop {
            let keys = device_keys.borrow_and_update().clone();
            // The certificate in its place decides, whatever the keys are called.
            let key = choose_key(&self.config.certificate, &keys).cloned();
            let again = key.and_then(|found| self.evaluate(found));
            tokio::select! {
                changed = device_keys.changed() => if changed.is_err() { return },
                () = self.files.changed() => {}
                Ok(()) = self.steps.changed() => {}
                Ok(()) = self.enrolment.changed() => {}
                Ok(()) = self.rotation.changed() => {}
                () = retry.requested() => {}
                () = tokio::time::sleep(again.unwrap_or(Duration::MAX)) => {}
            }
        }
    }

    /// Brings the identity up to date. Returns the time until the next check, if one is needed without an event.
    fn evaluate(&mut self, found: FoundKey) -> Option<Duration> {
        if let Some(enrolment) = self.enrolment.borrow_and_update().clone() {
            self.reporter.details(|details| details.enrolment = Some(enrolment));
        }
        if let Some(rotation) = self.rotation.borrow_and_update().clone() {
            self.reporter.details(|details| details.rotation = Some(rotation));
        }
        let key = TokenKey::new(self.token.clone(), found);
        let info = key.public().subject_public_key_info();
        let request = request::ensure(&self.request_path, &self.config.subject, &key);
        // Reported before a missing certificate, because a caller that waits for the request takes that as the answer.
        if let Ok(pem) = &request {
            self.request.send_replace(Some(pem.as_str().into()));
        }
        let again = match Certificate::load(&Source::from(&self.config), Some(&info), &*self.clock) {
            Ok(Loaded { certificate, warning }) => Some(self.accept(Identity { certificate, key }, warning)),
            Err(refusal) => self.refuse(refusal, &key),
        };
        match request {
            Ok(_) => again,
            // A certificate is used even if the request cannot be written.
            Err(problem) => {
                self.reporter
                    .report(self.phase_after_failure(IdentityPhase::NoKey), Some(problem));
                Some(REQUEST_RETRY)
            }
        }
    }

    /// Accepts an identity. Returns the time until the next check.
    fn accept(&mut self, identity: Identity, warning: Option<Problem>) -> Duration {
        let certificate = &identity.certificate;
        let remaining = certificate
            .not_after
            .duration_since(self.clock.aws_now())
            .unwrap_or_default();
        // A renewal that needs no action is not reported.
        let renewal = self
            .enrolment_problem()
            .filter(|problem| problem.remedy == Remedy::Configuration);
        let kept_key = self
            .rotation
            .borrow()
            .as_ref()
            .and_then(|rotation| rotation.key_problem.clone());
        let warning = Problem::joined(renewal.into_iter().chain(kept_key).chain(warning).collect());
        self.accepted_with_clock_unset = !is_set(&*self.clock);
        self.reporter
            .report_with(IdentityPhase::Ready, warning, |details| describe(details, &identity));
        if self.identity.borrow().as_deref() != Some(&identity) {
            journal!(
                Level::Info, Event::CertificateTaken, THING_NAME = certificate.thing_name.as_str();
                "identity: certificate {} for thing {} is in use, valid until {}",
                certificate.id, certificate.thing_name, rfc3339(certificate.not_after)
            );
            self.identity.send_replace(Some(Arc::new(identity)));
        }
        (remaining + ROUNDING).min(CHECK_INTERVAL)
    }

    /// Refuses a certificate. The one in use stays in use, and if there is none, the one that AWS accepted last is used. A
    /// certificate that was accepted while the clock was unset does not stay.
    fn refuse(&mut self, refusal: CertificateError, key: &TokenKey) -> Option<Duration> {
        if std::mem::take(&mut self.accepted_with_clock_unset) {
            self.identity.send_replace(None);
        }
        // If the file was removed, the gateway is to have no identity.
        let has_file = !matches!(refusal, CertificateError::Missing);
        if has_file
            && self.identity.borrow().is_none()
            && let Some(last_accepted) = self.last_accepted.load(key, &*self.clock)
        {
            self.accept(last_accepted, None);
        }
        let (phase, problem, again) = match refusal {
            CertificateError::Missing => (IdentityPhase::NoCertificate, self.report_missing_certificate(), None),
            CertificateError::Unusable(problem) => (IdentityPhase::Refused, problem, None),
            CertificateError::NotYetValid(from, problem) => {
                let wait = from.duration_since(self.clock.aws_now()).unwrap_or_default();
                // A certificate that becomes valid in a moment is not reported as refused.
                let phase = match problem.remedy {
                    Remedy::None => IdentityPhase::NoCertificate,
                    _ => IdentityPhase::Refused,
                };
                (phase, problem, Some((wait + ROUNDING).min(CHECK_INTERVAL)))
            }
        };
        // An expired file has the event of expiry only if the certificate in use has expired as well.
        let now = self.clock.aws_now();
        let in_use = self.identity.borrow().clone();
        let has_expired = in_use.is_some_and(|identity| identity.certificate.not_after < now);
        let event = problem.event.filter(|_| has_expired);
        let problem = Problem { event, ..problem };
        self.reporter.report(self.phase_after_failure(phase), Some(problem));
        again
    }

    fn phase_after_failure(&self, otherwise: IdentityPhase) -> IdentityPhase {
        if self.identity.borrow().is_some() {
            IdentityPhase::Ready
        } else {
            otherwise
        }
    }

    fn enrolment_problem(&self) -> Option<Problem> {
        self.enrolment.borrow().as_ref()?.problem.clone()
    }

    fn report_missing_certificate(&self) -> Problem {
        let path = self.config.certificate.display();
        let step = format!(
            "have {} signed (`gatepost csr` prints it) and put the certificate there",
            self.request_path.display()
        );
        let has_identity = self.identity.borrow().is_some();
        if let Some(problem) = self.enrolment_problem().filter(|_| !has_identity) {
            return problem;
        }
        match has_identity {
            false => Problem::wait(format!("waiting for a certificate at {path}")).next(step),
            true => Problem::configuration(format!(
                "{path} was removed; the certificate that was read before stays in use"
            ))
            .next(step),
        }
    }
}

/// Returns the path of the signing request.
pub fn request_path(folders: &Folders) -> std::path::PathBuf {
    folders.state.join("device.csr")
}

fn describe(details: &mut IdentityDetails, Identity { certificate, key }: &Identity) {
    details.key = Some(key.name().uri.to_string());
    details.thing_name = Some(certificate.thing_name.clone());
    details.certificate_id = Some(certificate.id.clone());
    details.subject = Some(certificate.subject.clone());
    details.not_before = Some(rfc3339(certificate.not_before));
    details.not_after = Some(rfc3339(certificate.not_after));
}
