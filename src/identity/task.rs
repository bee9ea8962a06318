//! From a key and a file to an identity: writes the request, waits for the certificate, takes each better one.

use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::sync::watch;

use super::certificate::{Certificate, Loaded, Source};
use super::error::CertificateError;
use super::files::Files;
use super::{Identity, IdentityReporter, LastAccepted, TokenKey, request};
use crate::clock::{SharedClock, is_set, rfc3339};
use crate::config::{Folders, IdentityConfig};
use crate::event::{Event, journal};
use crate::problem::{Problem, Remedy};
use crate::status::{EnrolmentDetails, IdentityDetails, IdentityPhase};
use crate::token::{PublicKey, Token};

/// How long to wait before asking the token again for a signature under the request.
const REQUEST_AGAIN: Duration = Duration::from_secs(30);
/// Timers run on a clock that steps do not move; a far-off start or end of validity is looked at again this often.
const LOOK_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// Where the identity appears, and each better one after it.
pub type IdentityReceiver = watch::Receiver<Option<Arc<Identity>>>;

/// Validity is in whole seconds; a timer must not fire in the last of them.
const ROUNDING: Duration = Duration::from_secs(1);

/// The task's parts.
pub struct IdentityTask {
    config: IdentityConfig,
    request_path: std::path::PathBuf,
    token: Token,
    clock: SharedClock,
    steps: watch::Receiver<u64>,
    reporter: IdentityReporter,
    identity: watch::Sender<Option<Arc<Identity>>>,
    files: Files,
    proven: LastAccepted,
    /// Why enrolment has brought no certificate yet, where something enrols.
    enrolment: watch::Receiver<Option<EnrolmentDetails>>,
    /// Whether the identity's validity could not be checked when it was taken.
    taken_with_clock_unset: bool,
}

impl IdentityTask {
    /// Prepares the task; the identity appears in the returned channel.
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
        let proven = LastAccepted::new(folders, &config);
        let task = Self {
            config,
            request_path,
            token,
            clock,
            steps,
            reporter,
            identity,
            files,
            proven,
            enrolment: watch::channel(None).1,
            taken_with_clock_unset: false,
        };
        (task, receiver)
    }

    /// Reports what enrolment says in the place of the advice to have the request signed.
    pub fn follow_enrolment(&mut self, enrolment: watch::Receiver<Option<EnrolmentDetails>>) {
        self.enrolment = enrolment;
    }

    /// Runs for as long as the daemon does.
    pub async fn run(mut self) {
        let mut public_key = self.token.public_key();
        loop {
            let known = public_key.borrow_and_update().clone();
            let again = known.and_then(|public| self.evaluate(public));
            tokio::select! {
                changed = public_key.changed() => if changed.is_err() { return },
                () = self.files.changed() => {}
                Ok(()) = self.steps.changed() => {}
                Ok(()) = self.enrolment.changed() => {}
                () = tokio::time::sleep(again.unwrap_or(Duration::MAX)) => {}
            }
        }
    }

    /// Brings the identity up to date; returns when to look again without being told.
    fn evaluate(&mut self, public: PublicKey) -> Option<Duration> {
        if let Some(enrolment) = self.enrolment.borrow_and_update().clone() {
            self.reporter.details(|details| details.enrolment = Some(enrolment));
        }
        let key = TokenKey::new(self.token.clone(), public);
        let info = key.public().subject_public_key_info();
        let request = request::ensure(&self.request_path, &self.config.subject, &key);
        // Before anything is said of a certificate that is missing: whoever waits for the request takes that for the answer.
        if let Ok(pem) = &request {
            self.reporter.details(|details| details.csr = Some(pem.as_str().into()));
        }
        let again = match Certificate::load(&Source::from(&self.config), Some(&info), &*self.clock) {
            Ok(Loaded { certificate, warning }) => Some(self.take(Identity { certificate, key }, warning)),
            Err(refusal) => self.refuse(refusal, &key),
        };
        match request {
            Ok(_) => again,
            // A request that cannot be written is no reason not to use a certificate that is there.
            Err(problem) => {
                self.reporter
                    .report(self.phase_without_news(IdentityPhase::NoKey), Some(problem));
                Some(REQUEST_AGAIN)
            }
        }
    }

    fn take(&mut self, identity: Identity, warning: Option<Problem>) -> Duration {
        let certificate = &identity.certificate;
        let left = certificate
            .not_after
            .duration_since(self.clock.aws_now())
            .unwrap_or_default();
        // A renewal that still goes on by itself is nobody's concern.
        let late = self
            .enrolment_problem()
            .filter(|problem| problem.remedy == Remedy::Configuration);
        let warning = Problem::joined(late.into_iter().chain(warning).collect());
        self.taken_with_clock_unset = !is_set(&*self.clock);
        self.reporter
            .report_with(IdentityPhase::Ready, warning, |details| describe(details, certificate));
        if self.identity.borrow().as_deref() != Some(&identity) {
            journal!(
                Level::Info, Event::CertificateTaken, THING_NAME = certificate.thing_name.as_str();
                "identity: certificate {} for thing {} taken, valid until {}",
                certificate.id, certificate.thing_name, rfc3339(certificate.not_after)
            );
            self.identity.send_replace(Some(Arc::new(identity)));
        }
        (left + ROUNDING).min(LOOK_AGAIN)
    }

    /// A bad file changes nothing where a good one was taken before, in this run or in an earlier one. One that was taken before
    /// the clock could tell is not good for that.
    fn refuse(&mut self, refusal: CertificateError, key: &TokenKey) -> Option<Duration> {
        if std::mem::take(&mut self.taken_with_clock_unset) {
            self.identity.send_replace(None);
        }
        // Without a file nobody wants this gateway to be anybody.
        let is_bad = !matches!(refusal, CertificateError::Missing);
        if is_bad
            && self.identity.borrow().is_none()
            && let Some(proven) = self.proven.load(key, &*self.clock)
        {
            self.take(proven, None);
        }
        let (phase, problem, again) = match refusal {
            CertificateError::Missing => (IdentityPhase::NoCertificate, self.awaiting_certificate(), None),
            CertificateError::Unusable(problem) => (IdentityPhase::Refused, problem, None),
            CertificateError::NotYetValid(from, problem) => {
                let wait = from.duration_since(self.clock.aws_now()).unwrap_or_default();
                // Only a moment: the certificate is as good as there.
                let phase = match problem.remedy {
                    Remedy::None => IdentityPhase::NoCertificate,
                    _ => IdentityPhase::Refused,
                };
                (phase, problem, Some((wait + ROUNDING).min(LOOK_AGAIN)))
            }
        };
        // Where the certificate in use is another one, a file that has expired is only one of the files that cannot be used.
        let now = self.clock.aws_now();
        let in_use = self.identity.borrow().clone();
        let has_expired = in_use.is_some_and(|identity| identity.certificate.not_after < now);
        let event = problem.event.filter(|_| has_expired);
        let problem = Problem { event, ..problem };
        self.reporter.report(self.phase_without_news(phase), Some(problem));
        again
    }

    fn phase_without_news(&self, otherwise: IdentityPhase) -> IdentityPhase {
        if self.identity.borrow().is_some() {
            IdentityPhase::Ready
        } else {
            otherwise
        }
    }

    fn enrolment_problem(&self) -> Option<Problem> {
        self.enrolment.borrow().as_ref()?.problem.clone()
    }

    fn awaiting_certificate(&self) -> Problem {
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
            true => Problem::configuration(format!("{path} is gone; the one read before is still used")).next(step),
        }
    }
}

/// Where the signing request is written.
pub fn request_path(folders: &Folders) -> std::path::PathBuf {
    folders.state.join("device.csr")
}

fn describe(details: &mut IdentityDetails, certificate: &Certificate) {
    details.thing_name = Some(certificate.thing_name.clone());
    details.certificate_id = Some(certificate.id.clone());
    details.subject = Some(certificate.subject.clone());
    details.not_before = Some(rfc3339(certificate.not_before));
    details.not_after = Some(rfc3339(certificate.not_after));
}
