//! Checks of key and certificate, while no daemon is running.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::bootstrap;
use super::daemon::NotRunning;
use super::lines::{BOOTSTRAP, CERTIFICATE, EXPIRY, KEY, MODULE, PIN, TOKEN};
use super::report::Report;
use super::token;
use crate::clock::{SharedClock, SystemClock, rfc3339};
use crate::config::Config;
use crate::heartbeat::Heartbeat;
use crate::identity::{Certificate, CertificateError, Identity, Loaded, Source, TokenKey, choose_key};
use crate::overview::{expiry_problem, remaining_text};
use crate::problem::Problem;
use crate::status::{StatusHub, TokenDetails, TokenPhase};
use crate::token::{PinSource, Token, TokenThread};

/// Time limit for opening the token a second time, by the thread that signs.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);

/// Checks token, key and certificate. Returns the identity, with the thread that signs for it, if it can be used.
pub async fn check(
    config: &Config,
    clock: &SharedClock,
    why: &NotRunning,
    report: &mut Report,
) -> Option<(Arc<Identity>, TokenThread)> {
    if why.pin_was_rejected() {
        // Another attempt would count against the token.
        let has_bootstrap_key = bootstrap::key_in_token(config).is_some();
        let bootstrap = Some(BOOTSTRAP).filter(|_| has_bootstrap_key);
        let checks = [MODULE, TOKEN, PIN, KEY, CERTIFICATE, EXPIRY];
        for check in checks.into_iter().chain(bootstrap) {
            report.skip(
                check,
                "the token has rejected the PIN; gatepost does not try it again before its next start",
            );
        }
        return None;
    }
    let pin_file = config.token.pin_file.as_deref();
    let pin = PinSource::new(pin_file, config.folders.credentials.as_deref()).or_ask(pin_file, &config.folders.runtime);
    if !token::check(config, &pin, clock, report) {
        report.skip(CERTIFICATE, "there is no key to compare it with");
        report.skip(EXPIRY, "as above");
        return None;
    }
    let (token, thread) = match start_signer(config, pin).await {
        Ok(signer) => signer,
        Err(problem) => {
            report.failed(CERTIFICATE, &problem);
            return None;
        }
    };
    let found = choose_key(&config.identity.certificate, &token.device_keys().borrow()).cloned()?;
    let key = TokenKey::new(token, found);
    let info = key.public().subject_public_key_info();
    match Certificate::load(&Source::from(&config.identity), Some(&info), &**clock) {
        Ok(Loaded { certificate, warning }) => {
            let found = format!(
                "{} for thing {}; it belongs to the key",
                certificate.id, certificate.thing_name
            );
            match &warning {
                None => report.ok(CERTIFICATE, found),
                Some(problem) => report.warn(CERTIFICATE, problem),
            }
            Some((Arc::new(Identity { certificate, key }), thread))
        }
        Err(refusal) => {
            report.failed(CERTIFICATE, &refusal_problem(refusal, config));
            report.skip(EXPIRY, "there is no certificate that could be used");
            None
        }
    }
}

/// Reports when the certificate expires.
pub fn check_expiry(certificate: &Certificate, config: &Config, clock: &SharedClock, report: &mut Report) {
    let (now, start, end) = (clock.aws_now(), certificate.not_before, certificate.not_after);
    match expiry_problem(now, start, end, config.enrolment.automatic_method()) {
        Some(problem) => report.failed(EXPIRY, &problem),
        None => {
            let left = remaining_text(now, end);
            report.ok(EXPIRY, format!("the certificate ends at {}, in {left}", rfc3339(end)));
        }
    }
}

/// Returns the problem of a certificate that is refused.
fn refusal_problem(refusal: CertificateError, config: &Config) -> Problem {
    match refusal {
        CertificateError::NotYetValid(_, problem) | CertificateError::Unusable(problem) => problem,
        CertificateError::Missing => {
            let message = format!("there is none at {}", config.identity.certificate.display());
            Problem::wait(message).next(match config.enrolment.automatic_method() {
                None => {
                    "start the daemon, have its signing request signed (gatepost csr) and put the certificate there"
                }
                Some(_) => "start the daemon, which asks for one by itself",
            })
        }
    }
}

/// Starts the thread that signs, and waits for its key. The PIN has just been accepted, so this does not use up an attempt.
async fn start_signer(config: &Config, pin: PinSource) -> Result<(Token, TokenThread), Problem> {
    let hub = StatusHub::new(Arc::new(SystemClock::default()));
    let reporter = hub.reporter("token", TokenPhase::Waiting, TokenDetails::default());
    let (fatal, mut fatals) = mpsc::channel(1);
    let (token, thread) = Token::spawn(config.token.clone(), pin, reporter, fatal, Heartbeat::new())
        .map_err(|error| Problem::wait(format!("the system does not provide a thread: {error}")))?;
    let mut keys = token.device_keys();
    let shown = async {
        tokio::select! {
            _ = keys.wait_for(|keys| !keys.is_empty()) => Ok(()),
            Some(fatal) = fatals.recv() => Err(fatal.problem),
        }
    };
    timeout(OPEN_TIMEOUT, shown)
        .await
        .unwrap_or_else(|_| Err(Problem::wait("the token did not open a second time")))?;
    Ok((token, thread))
}
