//! While no daemon runs, its parts are tried one by one, as it would use them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::clock::{clock_line, skew_line};
use super::daemon::NotRunning;
use super::lines::{
    AWS_CALL, CERTIFICATE, CREDENTIALS_DNS, CREDENTIALS_TCP, CREDENTIALS_TLS, Check, DAEMON, ENVIRONMENT, EXPIRY, KEY,
    LOOPBACK, MODULE, MQTT_CONNECT, MQTT_DNS, MQTT_TCP, MQTT_TLS, PIN, REST, ROLE_ALIAS, ROOT_CA, TOKEN, USER,
};
use super::network::Trust;
use super::report::Report;
use super::{call, messages, network, token};
use crate::clock::{SharedClock, rfc3339};
use crate::cloud::Probe;
use crate::config::{Config, Endpoint};
use crate::heartbeat::Heartbeat;
use crate::identity::{Certificate, CertificateError, Identity, Loaded, Source, TokenKey, roots};
use crate::local::{self, PortHolder};
use crate::overview::{expiry_problem, left_in_words};
use crate::problem::{Exit, Problem};
use crate::service::{Account, take_environment, taken};
use crate::status::{StatusHub, TokenDetails, TokenPhase};
use crate::token::{PinSource, Token, TokenThread};

/// For the token to be opened a second time, by the thread that signs.
const OPENING: Duration = Duration::from_secs(60);
const NO_IDENTITY: &str = "there is no key with a certificate";

/// Everything, in the order in which it depends on each other.
pub async fn check(config: &Config, clock: &SharedClock, why: NotRunning, report: &mut Report) {
    let lock = match local::lock(&config.folders) {
        Ok(lock) => Some(lock),
        Err(fatal) if fatal.exit == Exit::Busy => {
            let problem = Problem::wait("it does not answer on its socket, but runs: its lock is held");
            report.failed(
                DAEMON,
                &problem.next("systemctl status gatepost, journalctl -u gatepost"),
            );
            return report.skip(REST, "the token is the running daemon's");
        }
        // It makes its folder when it starts; who may not write there is told at the first file that cannot be read.
        Err(_) => None,
    };
    why.tell(report);
    environment(report);
    // As root, who sees other users' processes.
    loopback(config, report);
    // Root leaves nothing behind that the daemon could not use: what a token's module writes belongs to the state's owner.
    if let Some(Err(why)) = Account::of_service(&config.folders).map(|account| account.become_it()) {
        report.warn(USER, &Problem::wait(format!("this goes on as root: {why}")));
    }
    let clock_set = clock_line(clock, report);
    let identity = identity(config, clock, &why, report).await;
    let certified = identity.as_ref().map(|(identity, _thread)| identity.clone());
    let place_of_expiry = report.end();
    messages::check_alone(config, report);
    let roots = roots::load(config.aws.root_ca.as_deref());
    if let Err(problem) = &roots {
        report.failed(ROOT_CA, problem);
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
    let probe = match (identity, roots) {
        (Some((identity, thread)), Ok(roots)) if clock_set => {
            let (config, clock) = (config.clone(), clock.clone());
            let probe = Probe {
                config,
                roots,
                clock,
                identity,
            };
            Some((probe, thread))
        }
        _ => None,
    };
    let probe = probe.as_ref().map(|(probe, _thread)| probe);
    let (mqtt, provider) = (&config.aws.mqtt_endpoint, &config.aws.credentials_endpoint);
    let there = network::check(MQTT_DNS, MQTT_TCP, mqtt, report).await;
    if let (true, None, Some(trust)) = (there, probe, &trust) {
        network::prove_server(MQTT_TLS, mqtt, true, trust, report).await;
        report.skip(MQTT_CONNECT, why_not);
    } else {
        session(probe.filter(|_| there), why_not, report).await;
    }
    let there = network::check(CREDENTIALS_DNS, CREDENTIALS_TCP, provider, report).await;
    if let (true, None, Some(trust)) = (there, probe, &trust) {
        network::prove_server(CREDENTIALS_TLS, provider, false, trust, report).await;
    }
    credentials(
        config,
        probe.filter(|_| there),
        trust.filter(|_| there).is_none().then_some(why_not),
        clock,
        report,
    )
    .await;
    // AWS has said its time by now, where it could be asked.
    if let Some(identity) = certified {
        report.insert(place_of_expiry, |report| expiry(&identity.certificate, clock, report));
    }
    drop(lock);
}

/// A module looks for its store, its configuration and its device by variables that only the unit has.
fn environment(report: &mut Report) {
    if let Err(error) = take_environment() {
        let problem = Problem::wait(format!(
            "this goes on without the variables of gatepost.service: {error}"
        ));
        return report.warn(
            ENVIRONMENT,
            &problem.next("systemctl show --property=Environment gatepost.service"),
        );
    }
    let taken = taken();
    if !taken.is_empty() {
        report.ok(ENVIRONMENT, format!("from gatepost.service: {}", taken.join(", ")));
    }
}

/// The loopback listener's port: another program on it gets the tokens of SDKs.
fn loopback(config: &Config, report: &mut Report) {
    let Some(address) = config.loopback else { return };
    match PortHolder::of(address) {
        None => report.ok(LOOPBACK, format!("{address} is free")),
        Some(holder) if holder.is_service_manager() => {
            report.ok(LOOPBACK, format!("systemd keeps {address} for gatepost"));
        }
        Some(holder) => report.failed(
            LOOPBACK,
            &Problem::configuration(format!("loopback.listen: at {address} listens {holder}"))
                .next("stop that program, and find out why it is there; or choose another port"),
        ),
    }
}

async fn identity(
    config: &Config,
    clock: &SharedClock,
    why: &NotRunning,
    report: &mut Report,
) -> Option<(Arc<Identity>, TokenThread)> {
    if why.pin_was_rejected() {
        // A try more would count against the token.
        for check in [MODULE, TOKEN, PIN, KEY, CERTIFICATE, EXPIRY] {
            report.skip(
                check,
                "the token has rejected the PIN, and is left alone until gatepost is started again",
            );
        }
        return None;
    }
    let pin_file = config.token.pin_file.as_deref();
    let pin = PinSource::new(pin_file, config.folders.credentials.as_deref()).or_ask(pin_file, &config.folders.runtime);
    let key = token::check(config, &pin, report);
    if key.is_none() {
        report.skip(CERTIFICATE, "there is no key that it could belong to");
        report.skip(EXPIRY, "as above");
        return None;
    }
    let (token, thread) = match signer(config, pin).await {
        Ok(signer) => signer,
        Err(problem) => {
            report.failed(CERTIFICATE, &problem);
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
                None => report.ok(CERTIFICATE, found),
                Some(problem) => report.warn(CERTIFICATE, problem),
            }
            Some((Arc::new(Identity { certificate, key }), thread))
        }
        Err(refusal) => {
            report.failed(CERTIFICATE, &why_refused(refusal, config));
            report.skip(EXPIRY, "there is no certificate that could be used");
            None
        }
    }
}

fn expiry(certificate: &Certificate, clock: &SharedClock, report: &mut Report) {
    let (now, start, end) = (clock.aws_now(), certificate.not_before, certificate.not_after);
    match expiry_problem(now, start, end) {
        Some(problem) => report.failed(EXPIRY, &problem),
        None => {
            let left = left_in_words(now, end);
            report.ok(EXPIRY, format!("the certificate ends at {}, in {left}", rfc3339(end)));
        }
    }
}

fn why_refused(refusal: CertificateError, config: &Config) -> Problem {
    match refusal {
        CertificateError::NotYetValid(_, problem) | CertificateError::Unusable(problem) => problem,
        CertificateError::Missing => {
            let message = format!("there is none at {}", config.identity.certificate.display());
            let step = "start the daemon, have its signing request signed (gatepost csr) and put the certificate there";
            Problem::wait(message).next(step)
        }
    }
}

/// The thread that signs, once it has shown the key. The PIN was accepted a moment ago.
async fn signer(config: &Config, pin: PinSource) -> Result<(Token, TokenThread), Problem> {
    let hub = StatusHub::new(Arc::new(crate::clock::SystemClock::default()));
    let reporter = hub.reporter("token", TokenPhase::Waiting, TokenDetails::default());
    let (fatal, mut fatals) = mpsc::channel(1);
    let (token, thread) = Token::spawn(config.token.clone(), pin, reporter, fatal, Heartbeat::new())
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

async fn session(probe: Option<&Probe>, why_not: &str, report: &mut Report) {
    let (tls, connect) = (MQTT_TLS, MQTT_CONNECT);
    let Some(probe) = probe else {
        report.skip(tls, why_not);
        return report.skip(connect, why_not);
    };
    if handshake(probe, &probe.config.aws.mqtt_endpoint, tls, report).await {
        let thing = &probe.identity.certificate.thing_name;
        match probe.connect().await {
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
    probe: Option<&Probe>,
    why_not: Option<&str>,
    clock: &SharedClock,
    report: &mut Report,
) {
    let tls = CREDENTIALS_TLS;
    let there = match (probe, why_not) {
        (Some(probe), _) => handshake(probe, &config.aws.credentials_endpoint, tls, report).await,
        (None, Some(why_not)) => {
            report.skip(tls, why_not);
            false
        }
        (None, None) => false,
    };
    let mut proof = None;
    for alias in &config.role_aliases {
        let name = ROLE_ALIAS.of(&alias.name);
        let Some(probe) = probe.filter(|_| there) else {
            report.skip(name, "the credentials endpoint was not asked");
            continue;
        };
        match probe.credentials(&alias.name).await {
            Ok(credentials) => {
                report.ok(name, format!("credentials until {}", rfc3339(credentials.expiration())));
                proof = proof.or(Some((&alias.name, credentials)));
            }
            Err(problem) => report.failed(name, &problem),
        }
    }
    skew_line(clock, report);
    match proof {
        Some((alias, credentials)) => call::check(config, alias, &credentials, clock, report).await,
        None => report.skip(AWS_CALL, "there are no credentials to sign it with"),
    }
}

async fn handshake(probe: &Probe, endpoint: &Endpoint, name: Check, report: &mut Report) -> bool {
    match probe.handshake(endpoint).await {
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
