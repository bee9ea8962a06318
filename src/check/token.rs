//! Checks from the PKCS#11 module to the key, while no daemon is running.

use super::bootstrap;
use super::lines::{Check, KEY, MODULE, PIN, TOKEN};
use super::report::Report;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::problem::{Exit, Problem};
use crate::token::{Examined, Generate, PinSource, Step, TokenError, examine};

/// Reports each step from the module to the key, and the bootstrap certificate after them; returns whether the key was found.
pub fn check(config: &Config, pin: &PinSource, clock: &SharedClock, report: &mut Report) -> bool {
    const STEPS: [(Step, Check); 4] = [
        (Step::Module, MODULE),
        (Step::Token, TOKEN),
        (Step::Pin, PIN),
        (Step::Key, KEY),
    ];
    let outcome = examine(&config.token, bootstrap::key_in_token(config), pin);
    let failed = outcome.as_ref().err().map(|(step, _)| *step);
    for (step, name) in STEPS {
        match (&outcome, failed) {
            (Err((_, error)), Some(Step::Pin)) if step == Step::Pin && is_pin_only_for_service(error, config) => report
                .warn(
                    name,
                    &Problem::wait(
                        "systemd passes the PIN only to the service, so nothing that needs the key was checked",
                    )
                    .next("systemctl start gatepost, then check again"),
                ),
            (Err((_, error)), Some(at)) if at == step => report_failure(name, error, report),
            (_, Some(at)) if step > at => report.skip(name, "because of the failure above"),
            (Ok(examined), _) => report_success(step, name, config, examined, report),
            _ => report.ok(name, passed_message(step, config)),
        }
    }
    let other = outcome.as_ref().ok().and_then(|examined| examined.other.as_ref());
    bootstrap::check(config, other, clock, report);
    outcome.is_ok_and(|examined| examined.key.is_some())
}

/// Returns whether systemd passes the PIN only to the service, so that the check has none. Errors of the token itself take precedence.
fn is_pin_only_for_service(error: &TokenError, config: &Config) -> bool {
    let unreadable = matches!(error, TokenError::Final(Exit::Configuration, _));
    unreadable && config.token.pin_file.is_none() && config.folders.credentials.is_none()
}

/// Returns the message for a step before the one that failed.
fn passed_message(step: Step, config: &Config) -> String {
    match step {
        Step::Module => config.token.module.display().to_string(),
        Step::Token => format!("there is one for {}", config.token.key),
        Step::Pin | Step::Key => "good".to_owned(),
    }
}

fn report_failure(name: Check, error: &TokenError, report: &mut Report) {
    match error {
        TokenError::Final(exit, problem) => report.fail(name, *exit, problem),
        TokenError::Absent(problem) | TokenError::Device(problem) => report.failed(name, problem),
    }
}

fn report_success(step: Step, name: Check, config: &Config, examined: &Examined, report: &mut Report) {
    let uri = &config.token.key;
    match (step, examined.key, config.token.generate) {
        (Step::Module, ..) => report.ok(name, passed_message(step, config)),
        (Step::Token, ..) => report.ok(name, format!("\"{}\"", examined.label)),
        (Step::Pin, ..) if examined.login && examined.protected_path => {
            report.ok(name, "the token accepted it from its own reader");
        }
        (Step::Pin, ..) if examined.login => report.ok(name, "the token has accepted it"),
        (Step::Pin, ..) => report.ok(name, "the token requires none"),
        (Step::Key, Some(algorithm), _) => report.ok(
            name,
            format!("{uri}, {algorithm}; a signature of it was made and verified"),
        ),
        (Step::Key, None, Generate::Key(algorithm)) => {
            let makes = format!("no key matches {uri}; the daemon makes one ({algorithm}) when it starts");
            let problem = match &examined.others {
                None => Problem::wait(makes).next("systemctl start gatepost"),
                Some(others) => Problem::wait(format!("{makes}, although the token has {others}"))
                    .next("if one of those is meant, correct token.key; else systemctl start gatepost"),
            };
            report.warn(name, &problem);
        }
        (Step::Key, None, Generate::Never) => {
            if let Some(problem) = &examined.missing {
                report.failed(name, problem);
            }
        }
    }
}
