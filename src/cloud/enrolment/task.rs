//! The task of enrolment: asks the issuer when the state machine says so, and installs the certificate.
//!
//! From then on it is treated like any certificate file: the identity's task reads it, and a renewed certificate is tried on a separate
//! connection before it replaces the one in use.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use tokio::sync::watch;
use tokio::time::Instant;

use super::credential::CredentialKind;
use super::failure::{Failure, FailureKind};
use super::installation::{Installation, Wanted};
use super::installed::InstalledCertificate;
use super::method::{Method, Outcome, Request};
use super::methods::method_of;
use super::new_key::{KeyRenewal, NextKey};
use super::progress_report::{AttemptEnd, ProgressReport};
use super::{Enrolment, Purpose, Situation, Step};
use crate::clock::{SharedClock, is_set};
use crate::cloud::connector::Connector;
use crate::cloud::recovery::RecoveryListener;
use crate::config::Config;
use crate::identity::{IdentityReceiver, Offered, TokenKey};
use crate::problem::Problem;
use crate::retry::RetryListener;
use crate::status::{EnrolmentDetails, IdentityPart, IdentityPhase};
use crate::token::{FoundKey, Token};

/// Maximum sleep. Timers stand still while the machine is suspended, so a distant renewal is checked this often.
const CHECK_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Minimum time between two attempts, however often an operator or the network asks for one.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);
/// Minimum sleep between two steps.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// Minimum time between an issued certificate and the next request, whatever its validity.
const PAUSE_AFTER_ISSUE: Duration = Duration::from_secs(5);

/// The task of enrolment.
pub struct EnrolmentTask {
    method: Box<dyn Method>,
    installation: Installation,
    token: Token,
    key_renewal: KeyRenewal,
    clock: SharedClock,
    steps: watch::Receiver<u64>,
    identity: IdentityReceiver,
    identity_part: watch::Receiver<IdentityPart>,
    retry: RetryListener,
    renewal: RetryListener,
    recovery: RecoveryListener,
    machine: Enrolment,
    report: ProgressReport,
    /// When the last attempt began.
    last_attempt: Option<Instant>,
    /// Whether the last attempt did not reach the server, so that a network change is a reason to try again.
    was_unreachable: bool,
}

/// The channels that enrolment receives from.
pub struct EnrolmentInputs {
    /// The roots for verifying AWS's servers.
    pub roots: Arc<RootCertStore>,
    /// The clock.
    pub clock: SharedClock,
    /// The token with the keys.
    pub token: Token,
    /// Makes TCP connections.
    pub connector: Connector,
    /// Counts the steps of the clock.
    pub steps: watch::Receiver<u64>,
    /// The identity in use.
    pub identity: IdentityReceiver,
    /// Whether the token's key is available.
    pub identity_part: watch::Receiver<IdentityPart>,
    /// Receives an operator's request to make a pending attempt now.
    pub retry: RetryListener,
    /// Receives an operator's request for a new certificate.
    pub renewal: RetryListener,
    /// Receives changes of the network.
    pub recovery: RecoveryListener,
}

/// The outcome of an attempt that did not fail.
enum Obtained {
    Installed(Box<Offered>),
    Wait(Duration),
}

impl EnrolmentTask {
    /// Creates the task, and a channel that reports its progress. `None` if enrolment is off.
    pub fn new(config: &Config, inputs: EnrolmentInputs) -> Option<(Self, watch::Receiver<Option<EnrolmentDetails>>)> {
        let method = method_of(config, inputs.connector, &inputs.token, &inputs.roots, &inputs.clock)?;
        let (report, receiver) = ProgressReport::new(config.enrolment.method.name(), &method.issuer());
        let task = Self {
            method,
            installation: Installation::new(config, inputs.clock.clone()),
            key_renewal: KeyRenewal::new(config, inputs.token.clone()),
            token: inputs.token,
            clock: inputs.clock,
            steps: inputs.steps,
            identity: inputs.identity,
            identity_part: inputs.identity_part,
            retry: inputs.retry,
            renewal: inputs.renewal,
            recovery: inputs.recovery,
            machine: Enrolment::load(config.folders.state.join("enrolment.json"), fastrand::Rng::new()),
            report,
            last_attempt: None,
            was_unreachable: false,
        };
        Some((task, receiver))
    }

    /// Runs until the daemon ends.
    pub async fn run(mut self) {
        loop {
            let (step, installed) = self.decide();
            let wait = match step {
                Some(Step::Request(purpose, credential)) => {
                    self.attempt(purpose, credential, installed.as_ref()).await;
                    continue;
                }
                Some(Step::Sleep(until)) => until.duration_since(self.clock.aws_now()).unwrap_or_default(),
                Some(Step::NeedsOperator(problem)) => {
                    self.report.send(None, None, Some(problem));
                    CHECK_INTERVAL
                }
                Some(Step::WaitForClock) => {
                    self.report.send(None, None, Some(without_clock()));
                    CHECK_INTERVAL
                }
                None => CHECK_INTERVAL,
            };
            tokio::select! {
                Ok(()) = self.identity.changed() => {}
                Ok(()) = self.identity_part.changed() => {}
                Ok(()) = self.steps.changed() => {}
                () = self.retry.requested() => self.retry_now().await,
                () = self.renewal.requested() => {
                    self.retry_now().await;
                    self.machine.request_now();
                }
                () = self.recovery.network_changed(), if self.was_unreachable => self.retry_now().await,
                () = tokio::time::sleep(wait.clamp(SHORTEST_WAIT, CHECK_INTERVAL)) => {}
            }
        }
    }

    /// Makes the next attempt now, but no sooner than `RETRY_INTERVAL` after the last one.
    async fn retry_now(&mut self) {
        if let Some(last) = self.last_attempt {
            tokio::time::sleep_until(last + RETRY_INTERVAL).await;
        }
        self.machine.retry_now();
    }

    /// Decides the next step; `None` while the token's key is not available, because no signing request can be made without it.
    fn decide(&mut self) -> (Option<Step>, Option<InstalledCertificate>) {
        let has_key = self.identity_part.borrow_and_update().phase != IdentityPhase::NoKey;
        let Some(current) = self.current_key().filter(|_| has_key) else {
            return (None, None);
        };
        let key_info = current.public.subject_public_key_info();
        if self.installation.signing_request(&key_info).is_none() {
            // The identity's task is about to write it.
            return (Some(Step::Sleep(self.clock.aws_now() + SHORTEST_WAIT)), None);
        }
        self.key_renewal.finish(&current);
        let found = self.installation.installed(&key_info);
        let situation = self.situation(found.as_ref());
        let step = self.machine.next_step(&situation);
        if let Step::Sleep(until) = step {
            match self.machine.progress(&situation) {
                Some(progress) => self
                    .report
                    .send(Some(progress.since), Some(progress.next_attempt), progress.problem),
                None => self.report.send(None, Some(until), self.key_renewal.obstacle()),
            }
        }
        (Some(step), found)
    }

    /// Returns the key of the installed certificate, or the first one; `None` while the token was never open.
    fn current_key(&self) -> Option<FoundKey> {
        self.installation.current_key(&self.token.device_keys().borrow())
    }

    fn situation<'a>(&self, found: Option<&'a InstalledCertificate>) -> Situation<'a> {
        Situation {
            certificate: found.map(InstalledCertificate::as_current),
            bootstrap: self.method.bootstrap_credential(),
            renewal: self.method.renewal_credential(),
            texts: self.method.texts(),
            now: is_set(&*self.clock).then(|| self.clock.aws_now()),
        }
    }

    async fn attempt(
        &mut self,
        purpose: Purpose,
        credential: CredentialKind,
        installed: Option<&InstalledCertificate>,
    ) {
        self.last_attempt = Some(Instant::now());
        self.machine.begin_attempt();
        let outcome = self.obtain(purpose, credential, installed).await;
        self.report.count(match outcome {
            Ok(Obtained::Installed(_)) => AttemptEnd::Issued,
            Ok(Obtained::Wait(_)) => AttemptEnd::Waiting,
            Err(_) => AttemptEnd::Failed,
        });
        // The attempt answers all requests for one that have arrived meanwhile.
        self.renewal.forget();
        let now = self.clock.aws_now();
        self.was_unreachable = matches!(&outcome, Err(failure) if failure.kind == FailureKind::Unreachable);
        self.recovery.mark_heard();
        match outcome {
            Ok(Obtained::Installed(offered)) => {
                self.machine.record_success();
                self.method.finish();
                // This must happen before the identity's task sees the file.
                self.report.send(None, None, None);
                tokio::time::sleep(PAUSE_AFTER_ISSUE.min(lifetime(&offered) / 12)).await;
            }
            Ok(Obtained::Wait(wait)) => self.machine.record_pending(wait, self.method.texts(), now),
            Err(failure) => {
                let validity = installed.map(|found| found.validity);
                self.machine
                    .record_failure(&failure, credential, validity.as_ref(), now);
            }
        }
    }

    /// Requests a certificate, and installs it.
    async fn obtain(
        &self,
        purpose: Purpose,
        credential: CredentialKind,
        installed: Option<&InstalledCertificate>,
    ) -> Result<Obtained, Failure> {
        let no_key = || Failure::not_ready("the token has not shown its key yet");
        let current = self.current_key().ok_or_else(no_key)?;
        let next = match purpose {
            Purpose::Renewal => self.key_renewal.prepare(&current).await?,
            // Without a certificate that is good, the way with the fewest steps is taken.
            Purpose::First | Purpose::Replacement => None,
        };
        let NextKey { key, csr } = match next {
            Some(next) => next,
            None => {
                let csr = self
                    .installation
                    .signing_request(&current.public.subject_public_key_info());
                NextKey {
                    csr: csr.ok_or_else(|| Failure::not_ready("there is no signing request yet"))?,
                    key: TokenKey::new(self.token.clone(), current),
                }
            }
        };
        let key_info = key.public().subject_public_key_info();
        let request = Request {
            key: &key,
            purpose,
            credential,
            csr,
            key_info: &key_info,
            installed,
            in_use: self.identity.borrow().clone().filter(|_| purpose == Purpose::Renewal),
        };
        match self.method.request(&request).await? {
            Outcome::Wait(wait) => Ok(Obtained::Wait(wait)),
            Outcome::Issued(issued) => {
                let wanted = Wanted {
                    key_info: &key_info,
                    installed,
                    in_use: request.in_use.as_deref(),
                };
                let offered = self
                    .installation
                    .install(&issued, &wanted, &self.method.issuer())
                    .await?;
                Ok(Obtained::Installed(Box::new(offered)))
            }
        }
    }
}

/// Returns the problem of a clock that is not set.
fn without_clock() -> Problem {
    Problem::wait("no certificate is requested before the clock is set: it decides which certificates are valid")
        .next("find out why time synchronisation (timedatectl timesync-status) has not set the clock")
}

fn lifetime(offered: &Offered) -> Duration {
    let left = offered.certificate.not_after.duration_since(SystemTime::now());
    left.unwrap_or_default()
}
