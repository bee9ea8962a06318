//! The check while no daemon is running: tries each part as the daemon would use it.

use super::clock::{check_clock, check_skew};
use super::daemon::NotRunning;
use super::lines::{
    AWS_CALL, CREDENTIALS_DNS, CREDENTIALS_TCP, CREDENTIALS_TLS, Check, DAEMON, ENVIRONMENT, MQTT_CONNECT, MQTT_DNS,
    MQTT_TCP, MQTT_TLS, REST, ROLE_ALIAS, ROOT_CA, USER,
};
use super::network::Trust;
use super::report::Report;
use super::{call, identity, listeners, messages, network};
use crate::clock::{SharedClock, rfc3339};
use crate::cloud::Probe;
use crate::cloud::connector::Connector;
use crate::config::{Config, Endpoint};
use crate::identity::roots;
use crate::instance_lock;
use crate::problem::{Exit, Problem};
use crate::service::{Account, take_environment, taken_variables};

const NO_IDENTITY: &str = "there is no key with a certificate";

/// Checks everything, each part after those that it depends on.
pub async fn check(config: &Config, clock: &SharedClock, why: NotRunning, report: &mut Report) {
    let lock = match instance_lock::lock(&config.folders) {
        Ok(lock) => Some(lock),
        Err(fatal) if fatal.exit == Exit::Busy => {
            let problem = Problem::wait("it is running (its lock is held), but does not answer on its socket");
            report.failed(
                DAEMON,
                &problem.next("systemctl status gatepost, journalctl -u gatepost"),
            );
            return report.skip(REST, "the running daemon uses the token");
        }
        // The daemon creates its folder when it starts. A lack of permission is reported with the first file that cannot be read.
        Err(_) => None,
    };
    why.report_to(report);
    check_environment(config, report);
    // Before switching to the service's user: only root sees the processes of other users.
    listeners::check(config, report);
    // Files that the token's module writes must belong to the user of the service, or the daemon could not use them.
    if let Some(Err(why)) = Account::of_service(&config.folders).map(|account| account.switch_process()) {
        report.warn(USER, &Problem::wait(format!("the checks continue as root: {why}")));
    }
    let clock_set = check_clock(clock, report);
    let identity = identity::check(config, clock, &why, report).await;
    let certified = identity.as_ref().map(|(identity, _thread)| identity.clone());
    let expiry_position = report.end();
    messages::check_offline(config, report);
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
    let connector = Connector::new(config);
    let trust = roots.as_ref().ok().filter(|_| clock_set).map(|roots| Trust {
        connector: connector.clone(),
        roots: roots.clone(),
        clock: clock.clone(),
    });
    let probe = match (identity, roots) {
        (Some((identity, thread)), Ok(roots)) if clock_set => {
            let (config, clock, connector) = (config.clone(), clock.clone(), connector.clone());
            let probe = Probe {
                connector,
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
    let there = network::check((MQTT_DNS, MQTT_TCP), mqtt, &connector, report).await;
    if let (true, None, Some(trust)) = (there, probe, &trust) {
        network::verify_server(MQTT_TLS, mqtt, config.aws.mqtt_alpn, trust, report).await;
        report.skip(MQTT_CONNECT, why_not);
    } else {
        check_session(probe.filter(|_| there), why_not, report).await;
    }
    let there = network::check((CREDENTIALS_DNS, CREDENTIALS_TCP), provider, &connector, report).await;
    if let (true, None, Some(trust)) = (there, probe, &trust) {
        network::verify_server(CREDENTIALS_TLS, provider, &[], trust, report).await;
    }
    check_credentials(
        config,
        probe.filter(|_| there),
        trust.filter(|_| there).is_none().then_some(why_not),
        clock,
        report,
    )
    .await;
    // Checked late, because AWS's time is known only now.
    if let Some(identity) = certified {
        report.insert(expiry_position, |report| {
            identity::check_expiry(&identity.certificate, config, clock, report)
        });
    }
    drop(lock);
}

/// Takes over the environment variables of the unit, by which PKCS#11 modules find their store, configuration and device.
fn check_environment(config: &Config, report: &mut Report) {
    if let Err(error) = take_environment() {
        let problem = Problem::wait(format!(
            "the checks continue without the variables of gatepost.service: {error}"
        ));
        return report.warn(
            ENVIRONMENT,
            &problem.next("systemctl show --property=Environment gatepost.service"),
        );
    }
    let taken = taken_variables();
    if !taken.is_empty() {
        report.ok(ENVIRONMENT, format!("from gatepost.service: {}", taken.join(", ")));
    }
    warn_of_unread_proxy(config, report);
}

/// Warns of a proxy in the environment, which other programs use. Its value may hold a password.
fn warn_of_unread_proxy(config: &Config, report: &mut Report) {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if let (None, Some(name)) = (&config.network.proxy, names.into_iter().find(is_set)) {
        let message = format!("{name} is set, and gatepost takes no proxy from the environment");
        report.warn(
            ENVIRONMENT,
            &Problem::configuration(message).next("if AWS is only reached through it, set network.proxy"),
        );
    }
}

/// Checks the connection to the MQTT endpoint. `why_not` is the reason if there is no probe.
async fn check_session(probe: Option<&Probe>, why_not: &str, report: &mut Report) {
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

/// Checks the credentials endpoint and each role alias. `why_not` is the reason if TLS was not tried at all.
async fn check_credentials(
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
    let mut first = None;
    for alias in &config.role_aliases {
        let name = ROLE_ALIAS.of(&alias.name);
        let Some(probe) = probe.filter(|_| there) else {
            report.skip(name, "the credentials endpoint was not queried");
            continue;
        };
        match probe.credentials(&alias.name).await {
            Ok(credentials) => {
                report.ok(name, format!("credentials until {}", rfc3339(credentials.expiration())));
                first = first.or(Some((&alias.name, credentials)));
            }
            Err(problem) => report.failed(name, &problem),
        }
    }
    check_skew(clock, report);
    match first {
        Some((alias, credentials)) => call::check(config, alias, &credentials, clock, report).await,
        None => report.skip(AWS_CALL, "there are no credentials to sign it with"),
    }
}

/// Checks the TLS handshake with an endpoint; returns whether it succeeds.
async fn handshake(probe: &Probe, endpoint: &Endpoint, name: Check, report: &mut Report) -> bool {
    match probe.handshake(endpoint).await {
        Ok(()) => {
            report.ok(name, format!("{endpoint} has authenticated itself"));
            true
        }
        Err(problem) => {
            report.failed(name, &problem);
            false
        }
    }
}
