//! While no daemon runs, its parts are tried one by one, as it would use them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::network::Trust;
use super::report::Report;
use super::{call, clock_line, expiry, messages, network, skew_line};
use crate::clock::{SharedClock, rfc3339};
use crate::cloud::Trial;
use crate::config::{Config, Endpoint};
use crate::identity::{Certificate, Identity, Loaded, Refusal, Source, TokenKey, roots};
use crate::local;
use crate::problem::{Exit, Problem};
use crate::pulse::Pulse;
use crate::service::{Account, take_environment, taken};
use crate::status::{Desk, TokenDetails, TokenPhase};
use crate::token::{Examined, Generate, PinSource, Step, Token, TokenError, TokenThread, examine};

/// For the token to be opened a second time, by the thread that signs.
const OPENING: Duration = Duration::from_secs(60);
const NO_IDENTITY: &str = "there is no key with a certificate";

/// Everything, in the order in which it depends on each other.
pub async fn check(config: &Config, clock: &SharedClock, report: &mut Report) {
    let lock = match local::lock(&config.folders) {
        Ok(lock) => Some(lock),
        Err(fatal) if fatal.exit == Exit::Busy => {
            let problem = Problem::wait("it does not answer on its socket, but runs: its lock is held");
            report.failed(
                "daemon",
                &problem.next("systemctl status gatepost, journalctl -u gatepost"),
            );
            return report.skip("everything else", "the token is the running daemon's");
        }
        // It makes its folder when it starts; who may not write there is told at the first file that cannot be read.
        Err(_) => None,
    };
    report.warn(
        "daemon",
        &Problem::wait("it is not running; what follows was tried without it").next("systemctl start gatepost"),
    );
    environment(report);
    // Root leaves nothing behind that the daemon could not use: what a token's module writes belongs to the state's owner.
    if let Some(Err(why)) = Account::of_service(&config.folders).map(|account| account.become_it()) {
        report.warn("user", &Problem::wait(format!("this goes on as root: {why}")));
    }
    let clock_set = clock_line(clock, report);
    let identity = identity(config, clock, report).await;
    messages::check_alone(config, clock, report);
    let roots = roots::load(config.aws.root_ca.as_deref());
    if let Err(problem) = &roots {
        report.failed("root CA", problem);
    }
    let why_not = match (&identity, &roots) {
        _ if !clock_set => "the clock is not set, so no certificate can be trusted",
        (None, _) => NO_IDENTITY,
        (_, Err(_)) => "there are no root certificates",
        _ => "the endpoint cannot be reached",
    };
    let trust = roots.as_ref().ok().filter(|_| clock_set).map(|roots| Trust {
        roots: roots.clone(),
        clock: clock.clone(),
    });
    let trial = match (identity, roots) {
        (Some((identity, thread)), Ok(roots)) if clock_set => {
            let (config, clock) = (config.clone(), clock.clone());
            let trial = Trial {
                config,
                roots,
                clock,
                identity,
            };
            Some((trial, thread))
        }
        _ => None,
    };
    let trial = trial.as_ref().map(|(trial, _thread)| trial);
    let (mqtt, provider) = (&config.aws.mqtt_endpoint, &config.aws.credentials_endpoint);
    let there = network::check("MQTT endpoint", mqtt, report).await;
    if let (true, None, Some(trust)) = (there, trial, &trust) {
        network::prove_server("MQTT endpoint: TLS", mqtt, true, trust, report).await;
        report.skip("MQTT endpoint: CONNECT", why_not);
    } else {
        session(trial.filter(|_| there), why_not, report).await;
    }
    let there = network::check("credentials endpoint", provider, report).await;
    if let (true, None, Some(trust)) = (there, trial, &trust) {
        network::prove_server("credentials endpoint: TLS", provider, false, trust, report).await;
    }
    credentials(
        config,
        trial.filter(|_| there),
        trust.filter(|_| there).is_none().then_some(why_not),
        clock,
        report,
    )
    .await;
    drop(lock);
}

/// A module looks for its store, its configuration and its device by variables that only the unit has.
fn environment(report: &mut Report) {
    if let Err(error) = take_environment() {
        let problem = Problem::wait(format!(
            "this goes on without the variables of gatepost.service: {error}"
        ));
        return report.warn(
            "environment",
            &problem.next("systemctl show --property=Environment gatepost.service"),
        );
    }
    let taken = taken();
    if !taken.is_empty() {
        report.ok("environment", format!("from gatepost.service: {}", taken.join(", ")));
    }
}

async fn identity(config: &Config, clock: &SharedClock, report: &mut Report) -> Option<(Arc<Identity>, TokenThread)> {
    let pin_file = config.token.pin_file.as_deref();
    let pin = PinSource::new(pin_file, config.folders.credentials.as_deref()).or_ask(pin_file, &config.folders.runtime);
    let key = token(config, &pin, report);
    if key.is_none() {
        report.skip("certificate", "there is no key that it could belong to");
        report.skip("expiry", "as above");
        return None;
    }
    let (token, thread) = match signer(config, pin).await {
        Ok(signer) => signer,
        Err(problem) => {
            report.failed("certificate", &problem);
            return None;
        }
    };
    let public = token.public_key().borrow().clone()?;
    let key = TokenKey::new(token, public);
    let info = key.public().subject_public_key_info();
    match Certificate::load(&Source::from(&config.identity), Some(&info), &**clock) {
        Ok(Loaded { certificate, warning }) => {
            let found = format!(
                "{} for thing {}; it belongs to the key",
                certificate.id, certificate.thing_name
            );
            match &warning {
                None => report.ok("certificate", found),
                Some(problem) => report.warn("certificate", problem),
            }
            let left = certificate.not_after.duration_since(clock.wall()).ok();
            let (outcome, message, step) = expiry(&rfc3339(certificate.not_after), left);
            report.add("expiry", outcome, message, step);
            Some((Arc::new(Identity { certificate, key }), thread))
        }
        Err(refusal) => {
            report.failed("certificate", &why_refused(refusal, config));
            report.skip("expiry", "there is no certificate that could be used");
            None
        }
    }
}

fn why_refused(refusal: Refusal, config: &Config) -> Problem {
    match refusal {
        Refusal::NotYetValid(_, problem) | Refusal::Unusable(problem) => problem,
        Refusal::Missing => {
            let message = format!("there is none at {}", config.identity.certificate.display());
            let step = "start the daemon, have its signing request signed (gatepost csr) and put the certificate there";
            Problem::wait(message).next(step)
        }
    }
}

/// The lines from the module to the key; the key's algorithm, if it is there.
fn token(config: &Config, pin: &PinSource, report: &mut Report) -> Option<()> {
    const STEPS: [(Step, &str); 4] = [
        (Step::Module, "PKCS#11 module"),
        (Step::Token, "token"),
        (Step::Pin, "PIN"),
        (Step::Key, "key"),
    ];
    let outcome = examine(&config.token, pin);
    let failed = outcome.as_ref().err().map(|(step, _)| *step);
    for (step, name) in STEPS {
        match (&outcome, failed) {
            (Err((_, error)), Some(Step::Pin)) if step == Step::Pin && pin_is_systemds(error, config) => report.warn(
                name,
                &Problem::wait("systemd hands the PIN to the service alone, so what needs the key was not tried")
                    .next("systemctl start gatepost, then check again"),
            ),
            (Err((_, error)), Some(at)) if at == step => failure(name, error, report),
            (_, Some(at)) if step > at => report.skip(name, "because of the failure above"),
            (Ok(examined), _) => found(step, name, config, examined, report),
            _ => report.ok(name, passed(step, config)),
        }
    }
    outcome.ok()?.key.map(drop)
}

/// Whether there is a PIN for the service and none for whoever else asks. What the token itself says of its PIN comes first.
fn pin_is_systemds(error: &TokenError, config: &Config) -> bool {
    let unreadable = matches!(error, TokenError::Final(Exit::Configuration, _));
    unreadable && config.token.pin_file.is_none() && config.folders.credentials.is_none()
}

/// Of a step before the one that failed.
fn passed(step: Step, config: &Config) -> String {
    match step {
        Step::Module => config.token.module.display().to_string(),
        Step::Token => format!("there is one for {}", config.token.key),
        Step::Pin | Step::Key => "good".to_owned(),
    }
}

fn failure(name: &str, error: &TokenError, report: &mut Report) {
    match error {
        TokenError::Final(exit, problem) => report.fail(name, *exit, problem),
        TokenError::Absent(problem) | TokenError::Device(problem) => report.failed(name, problem),
    }
}

fn found(step: Step, name: &str, config: &Config, examined: &Examined, report: &mut Report) {
    let uri = &config.token.key;
    match (step, examined.key, config.token.generate) {
        (Step::Module, ..) => report.ok(name, passed(step, config)),
        (Step::Token, ..) => report.ok(name, format!("\"{}\"", examined.label)),
        (Step::Pin, ..) if examined.login && examined.protected_path => {
            report.ok(name, "the token took it by its own reader");
        }
        (Step::Pin, ..) if examined.login => report.ok(name, "the token has accepted it"),
        (Step::Pin, ..) => report.ok(name, "the token wants none"),
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

/// The thread that signs, once it has shown the key. The PIN was accepted a moment ago.
async fn signer(config: &Config, pin: PinSource) -> Result<(Token, TokenThread), Problem> {
    let desk = Desk::new(Arc::new(crate::clock::SystemClock::default()));
    let reporter = desk.reporter("token", TokenPhase::Waiting, TokenDetails::default());
    let (fatal, mut fatals) = mpsc::channel(1);
    let (token, thread) = Token::spawn(config.token.clone(), pin, reporter, fatal, Pulse::new())
        .map_err(|error| Problem::wait(format!("the system gives no thread: {error}")))?;
    let mut key = token.public_key();
    let shown = async {
        tokio::select! {
            _ = key.wait_for(Option::is_some) => Ok(()),
            Some(fatal) = fatals.recv() => Err(fatal.problem),
        }
    };
    timeout(OPENING, shown)
        .await
        .unwrap_or_else(|_| Err(Problem::wait("the token did not open a second time")))?;
    Ok((token, thread))
}

async fn session(trial: Option<&Trial>, why_not: &str, report: &mut Report) {
    let (tls, connect) = ("MQTT endpoint: TLS", "MQTT endpoint: CONNECT");
    let Some(trial) = trial else {
        report.skip(tls, why_not);
        return report.skip(connect, why_not);
    };
    if handshake(trial, &trial.config.aws.mqtt_endpoint, tls, report).await {
        let thing = &trial.identity.certificate.thing_name;
        match trial.connect().await {
            Ok(()) => report.ok(connect, format!("AWS accepts {thing}")),
            Err(problem) => report.failed(connect, &problem),
        }
    } else {
        report.skip(connect, "because of the failure above");
    }
}

/// `why_not` is why TLS was not tried at all.
async fn credentials(
    config: &Config,
    trial: Option<&Trial>,
    why_not: Option<&str>,
    clock: &SharedClock,
    report: &mut Report,
) {
    let tls = "credentials endpoint: TLS";
    let there = match (trial, why_not) {
        (Some(trial), _) => handshake(trial, &config.aws.credentials_endpoint, tls, report).await,
        (None, Some(why_not)) => {
            report.skip(tls, why_not);
            false
        }
        (None, None) => false,
    };
    let mut proof = None;
    for alias in &config.role_aliases {
        let name = format!("role alias {}", alias.name);
        let Some(trial) = trial.filter(|_| there) else {
            report.skip(&name, "the credentials endpoint was not asked");
            continue;
        };
        match trial.credentials(&alias.name).await {
            Ok(credentials) => {
                report.ok(
                    &name,
                    format!("credentials until {}", rfc3339(credentials.expiration())),
                );
                proof = proof.or(Some((&alias.name, credentials)));
            }
            Err(problem) => report.failed(&name, &problem),
        }
    }
    skew_line(clock, report);
    match proof {
        Some((alias, credentials)) => call::check(config, alias, &credentials, clock, report).await,
        None => report.skip("AWS call", "there are no credentials to sign it with"),
    }
}

async fn handshake(trial: &Trial, endpoint: &Endpoint, name: &str, report: &mut Report) -> bool {
    match trial.handshake(endpoint).await {
        Ok(()) => {
            report.ok(name, format!("{endpoint} proved who it is"));
            true
        }
        Err(problem) => {
            report.failed(name, &problem);
            false
        }
    }
}
