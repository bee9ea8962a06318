//! The check while the daemon is running. It queries the daemon, because the token is in use, and a second connection with the same
//! client ID would end its session.

use serde_json::Value;

use super::clock::{check_clock, check_skew};
use super::daemon::get;
use super::lines::{
    AWS_CALL, CERTIFICATE, CLOCK, CLOCK_SKEW, CONFIGURATION, CREDENTIALS_DNS, CREDENTIALS_TCP, CREDENTIALS_TLS, Check,
    DAEMON, EXPIRY, LOCAL_MQTT, LOOPBACK, MESSAGES, MQTT_DNS, MQTT_TCP, MQTT_TLS, NETWORK, OTHER, OTHER_KEYS,
    PROVISIONING, ROLE_ALIAS, ROOT_CA, SESSION, TOKEN_AND_KEY,
};
use super::network::Trust;
use super::report::{Outcome, Report};
use super::verdict::{Verdict, not_yet};
use super::{call, enrolment, messages, network};
use crate::clock::{SharedClock, Skew, is_set};
use crate::cloud::connector::Connector;
use crate::config::{Config, Folders};
use crate::credentials::Credentials;
use crate::identity::roots;
use crate::overview::remaining_text;
use crate::problem::{Exit, Problem};
use crate::secret::SecretString;
use crate::socket_client::socket;

/// Reports each part in the words of the daemon. `config` is the configuration in the files, if they can be read.
pub async fn check(
    folders: &Folders,
    config: Option<&Config>,
    clock: &SharedClock,
    status: Value,
    report: &mut Report,
) {
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let phase = |part: &str| text(&format!("/{part}/phase")).to_owned();
    let Some(mut verdict) = Verdict::read(&status) else {
        let problem = Problem::configuration(format!(
            "gatepostd {} is running, which is older than this check",
            text("/version")
        ));
        return report.failed(DAEMON, &problem.next("systemctl restart gatepost"));
    };
    let version = text("/version");
    report.ok(
        DAEMON,
        format!("gatepostd {version} has been running since {}", text("/started")),
    );
    verdict.report_state(report);
    report_part_findings(&mut verdict, "configuration", CONFIGURATION, report);
    check_clock(clock, report);
    if let Some(skew) = status.pointer("/clock/skew_seconds").and_then(Value::as_i64) {
        clock.take_over(Skew::from_seconds(skew));
    }
    match verdict.has_any(&["clock-skewed"]) {
        true => report_findings(&mut verdict, &["clock-skewed"], CLOCK_SKEW, report),
        false => check_skew(clock, report),
    }
    report_findings(&mut verdict, &["clock-unset"], CLOCK, report);
    report_findings(&mut verdict, &["network-down"], NETWORK, report);
    report_findings(&mut verdict, &["token-other-keys"], OTHER_KEYS, report);
    let key = format!("{} {}", text("/token/key"), text("/token/algorithm"));
    report_part(
        &mut verdict,
        ("token", &phase("token"), "ready"),
        TOKEN_AND_KEY,
        key,
        report,
    );
    report_certificate(&status, &mut verdict, clock, report);
    enrolment::check(&status, report);
    enrolment::check_rotation(&status, report);
    report_part_findings(&mut verdict, "provisioning", PROVISIONING, report);
    let client = format!(
        "connected to {} as {}",
        text("/session/endpoint"),
        text("/session/client_id")
    );
    report_part(
        &mut verdict,
        ("session", &phase("session"), "connected"),
        SESSION,
        client,
        report,
    );
    if phase("session") != "connected"
        && let Some(config) = config
    {
        let connector = Connector::new(config);
        let there = network::check((MQTT_DNS, MQTT_TCP), &config.aws.mqtt_endpoint, &connector, report).await;
        if phase("identity") != "ready" {
            check_without_certificate(config, clock, there, report).await;
        }
    }
    report_messages(folders, clock, &status, &mut verdict, report).await;
    report_aliases(folders, config, &status, &mut verdict, clock, report).await;
    for (part, check) in [("loopback", LOOPBACK), ("local_mqtt", LOCAL_MQTT)] {
        if status.get(part).is_some_and(|part| !part.is_null()) {
            let places = [format!("/{part}/socket"), format!("/{part}/listen")];
            let places = places
                .iter()
                .map(|pointer| text(pointer))
                .filter(|place| !place.is_empty());
            let places = places.collect::<Vec<_>>().join(", ");
            report_part(&mut verdict, (part, &phase(part), "listening"), check, places, report);
        }
    }
    verdict.report_rest(OTHER, report);
}

/// Checks both endpoints as far as possible without a certificate.
async fn check_without_certificate(config: &Config, clock: &SharedClock, mqtt_is_there: bool, report: &mut Report) {
    let connector = Connector::new(config);
    let trust = match roots::load(config.aws.root_ca.as_deref()) {
        Ok(roots) if is_set(&**clock) => Some(Trust {
            connector: connector.clone(),
            roots,
            clock: clock.clone(),
        }),
        Ok(_) => None,
        Err(problem) => {
            report.failed(ROOT_CA, &problem);
            None
        }
    };
    let (mqtt, provider) = (&config.aws.mqtt_endpoint, &config.aws.credentials_endpoint);
    if let (true, Some(trust)) = (mqtt_is_there, &trust) {
        network::verify_server(MQTT_TLS, mqtt, config.aws.mqtt_alpn, trust, report).await;
    }
    let there = network::check((CREDENTIALS_DNS, CREDENTIALS_TCP), provider, &connector, report).await;
    if let (true, Some(trust)) = (there, &trust) {
        network::verify_server(CREDENTIALS_TLS, provider, &[], trust, report).await;
    }
}

/// Reports a part. One that is not in its best phase is not ready, even without findings.
fn report_part(
    verdict: &mut Verdict,
    (part, phase, best): (&str, &str, &str),
    check: Check,
    found: String,
    report: &mut Report,
) {
    if phase == best {
        verdict.report_part(part, check, found, report);
    } else if !verdict.has(part) {
        report.fail(check, Exit::Unavailable, &not_yet(phase));
    } else {
        verdict.report_part(part, check, String::new(), report);
    }
}

fn report_findings(verdict: &mut Verdict, ids: &[&str], check: Check, report: &mut Report) {
    if verdict.has_any(ids) {
        verdict.report_kinds(ids, check, String::new(), report);
    }
}

fn report_part_findings(verdict: &mut Verdict, part: &str, check: Check, report: &mut Report) {
    if verdict.has(part) {
        verdict.report_part(part, check, String::new(), report);
    }
}

fn report_certificate(status: &Value, verdict: &mut Verdict, clock: &SharedClock, report: &mut Report) {
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let phase = text("/identity/phase");
    let expiry = ["certificate-expiring", "certificate-expired"];
    let end = text("/identity/not_after");
    let is_expiry_reported = verdict.has_any(&expiry);
    if is_expiry_reported {
        verdict.report_kinds(&expiry, EXPIRY, String::new(), report);
    }
    let found = format!(
        "{} for thing {}",
        text("/identity/certificate_id"),
        text("/identity/thing_name")
    );
    report_part(verdict, ("identity", phase, "ready"), CERTIFICATE, found, report);
    if let (false, "ready", Ok(not_after)) = (is_expiry_reported, phase, humantime::parse_rfc3339(end)) {
        let left = remaining_text(clock.aws_now(), not_after);
        report.ok(EXPIRY, format!("the certificate ends at {end}, in {left}"));
    }
}

async fn report_messages(
    folders: &Folders,
    clock: &SharedClock,
    status: &Value,
    verdict: &mut Verdict,
    report: &mut Report,
) {
    let Some(document) = status.get("messages") else { return };
    let phase = document.get("phase").and_then(Value::as_str).unwrap_or_default();
    let counts = messages::counts(document);
    let waiting = document.get("queued").and_then(Value::as_u64) > Some(0);
    if waiting && phase == "ready" && !verdict.has("messages") {
        let page = get(&socket(folders), "/v1/outbox/queued").await;
        if let Some(since) = page.and_then(|page| messages::oldest_waiting_since(&page.document, clock)) {
            return messages::report_waiting(since, &counts, report);
        }
    }
    report_part(verdict, ("messages", phase, "ready"), MESSAGES, counts, report);
}

/// Reports each role alias of the daemon, and calls AWS with the first credentials that this user gets.
async fn report_aliases(
    folders: &Folders,
    config: Option<&Config>,
    status: &Value,
    verdict: &mut Verdict,
    clock: &SharedClock,
    report: &mut Report,
) {
    let known = status.get("role_aliases").and_then(Value::as_array);
    let names = known
        .into_iter()
        .flatten()
        .filter_map(|alias| alias.get("name")?.as_str());
    let mut first = None;
    for name in names {
        let received = request_credentials(folders, name, verdict, clock, report).await;
        first = first.or(received.map(|credentials| (name.to_owned(), credentials)));
    }
    match (first, config) {
        (Some((alias, credentials)), Some(config)) => call::check(config, &alias, &credentials, clock, report).await,
        (Some(_), None) => report.skip(AWS_CALL, "the configuration, which names the Region, cannot be read"),
        (None, _) => report.skip(AWS_CALL, "there are no credentials to sign it with"),
    }
}

/// Reports a role alias; returns the credentials if this user gets them.
async fn request_credentials(
    folders: &Folders,
    alias: &str,
    verdict: &mut Verdict,
    clock: &SharedClock,
    report: &mut Report,
) -> Option<Credentials> {
    let check = ROLE_ALIAS.of(alias);
    // The characters of an alias need no escaping in a path.
    let Some(answer) = get(&socket(folders), &format!("/v1/credentials/{alias}")).await else {
        report.fail(check, Exit::Unavailable, &Problem::wait("the daemon did not answer"));
        return None;
    };
    let text = |name: &str| answer.document.get(name).and_then(Value::as_str);
    let end = text("Expiration");
    match (answer.status, end) {
        (200, Some(end)) => {
            verdict.report_alias(alias, check, format!("credentials until {end}"), report);
        }
        (403, _) => {
            // This may be intended. Root gets all credentials.
            let message = text("message").unwrap_or("no access rule grants it").to_owned();
            report.add(check.clone(), Outcome::Warn, message, text("hint"));
            if verdict.has_alias(alias) {
                verdict.report_alias(alias, check, String::new(), report);
            }
        }
        _ if verdict.has_alias(alias) => {
            verdict.report_alias(alias, check, String::new(), report);
        }
        _ => {
            let message = text("message").unwrap_or("the daemon's answer cannot be parsed");
            report.fail(check, Exit::Unavailable, &Problem::wait(message));
        }
    }
    let secret = |name: &str| text(name).map(SecretString::from);
    let expiration = humantime::parse_rfc3339(end?).ok()?;
    Some(Credentials::received(
        text("AccessKeyId")?,
        &secret("SecretAccessKey")?,
        &secret("SessionToken")?,
        expiration,
        &**clock,
    ))
}
