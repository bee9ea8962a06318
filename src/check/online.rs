//! While the daemon runs, it is asked: the token and the session are its own, and a second CONNECT with its client ID would
//! throw its session out.

use serde_json::Value;

use super::clock::{clock_line, skew_line};
use super::daemon::get;
use super::lines::{
    AWS_CALL, CERTIFICATE, CLOCK, CLOCK_SKEW, CONFIGURATION, CREDENTIALS_DNS, CREDENTIALS_TCP, CREDENTIALS_TLS, Check,
    DAEMON, EXPIRY, LOOPBACK, MESSAGES, MQTT_DNS, MQTT_TCP, MQTT_TLS, NETWORK, OTHER, OTHER_KEYS, PROVISIONING,
    ROLE_ALIAS, ROOT_CA, SESSION, TOKEN_AND_KEY,
};
use super::network::Trust;
use super::report::{Outcome, Report};
use super::verdict::{Verdict, not_yet};
use super::{call, messages, network};
use crate::clock::{SharedClock, Skew, is_set};
use crate::config::{Config, Folders};
use crate::credentials::Credentials;
use crate::identity::roots;
use crate::overview::left_in_words;
use crate::problem::{Exit, Problem};
use crate::secret::SecretString;
use crate::socket_client::socket;

/// A line for each part, in the daemon's words. The configuration is what the files say, where they can be read.
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
            "gatepostd {} runs, which is older than this check",
            text("/version")
        ));
        return report.failed(DAEMON, &problem.next("systemctl restart gatepost"));
    };
    let version = text("/version");
    report.ok(DAEMON, format!("gatepostd {version} runs since {}", text("/started")));
    verdict.tell_state(report);
    tell_only_part(&mut verdict, "configuration", CONFIGURATION, report);
    clock_line(clock, report);
    if let Some(skew) = status.pointer("/clock/skew_seconds").and_then(Value::as_i64) {
        clock.take_over(Skew::from_seconds(skew));
    }
    match verdict.has_any(&["clock-skewed"]) {
        true => tell_only_what_is_amiss(&mut verdict, &["clock-skewed"], CLOCK_SKEW, report),
        false => skew_line(clock, report),
    }
    tell_only_what_is_amiss(&mut verdict, &["clock-unset"], CLOCK, report);
    tell_only_what_is_amiss(&mut verdict, &["network-down"], NETWORK, report);
    tell_only_what_is_amiss(&mut verdict, &["token-other-keys"], OTHER_KEYS, report);
    let key = format!("{} {}", text("/token/key"), text("/token/algorithm"));
    part(
        &mut verdict,
        ("token", &phase("token"), "ready"),
        TOKEN_AND_KEY,
        key,
        report,
    );
    certificate(&status, &mut verdict, clock, report);
    tell_only_part(&mut verdict, "provisioning", PROVISIONING, report);
    let client = format!(
        "connected to {} as {}",
        text("/session/endpoint"),
        text("/session/client_id")
    );
    part(
        &mut verdict,
        ("session", &phase("session"), "connected"),
        SESSION,
        client,
        report,
    );
    if phase("session") != "connected"
        && let Some(config) = config
    {
        let there = network::check(MQTT_DNS, MQTT_TCP, &config.aws.mqtt_endpoint, report).await;
        if phase("identity") != "ready" {
            without_certificate(config, clock, there, report).await;
        }
    }
    message_store(folders, clock, &status, &mut verdict, report).await;
    aliases(folders, config, &status, &mut verdict, clock, report).await;
    if status.get("loopback").is_some_and(|part| !part.is_null()) {
        let listen = text("/loopback/listen").to_owned();
        part(
            &mut verdict,
            ("loopback", &phase("loopback"), "listening"),
            LOOPBACK,
            listen,
            report,
        );
    }
    verdict.tell_the_rest(OTHER, report);
}

/// Checks both endpoints as far as possible without a certificate.
async fn without_certificate(config: &Config, clock: &SharedClock, mqtt_is_there: bool, report: &mut Report) {
    let trust = match roots::load(config.aws.root_ca.as_deref()) {
        Ok(roots) if is_set(&**clock) => Some(Trust {
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
        network::prove_server(MQTT_TLS, mqtt, true, trust, report).await;
    }
    let there = network::check(CREDENTIALS_DNS, CREDENTIALS_TCP, provider, report).await;
    if let (true, Some(trust)) = (there, &trust) {
        network::prove_server(CREDENTIALS_TLS, provider, false, trust, report).await;
    }
}

/// A part that is in another phase than its best is not ready, even if nothing is amiss.
fn part(
    verdict: &mut Verdict,
    (part, phase, best): (&str, &str, &str),
    check: Check,
    found: String,
    report: &mut Report,
) {
    if phase == best {
        verdict.tell(part, check, found, report);
    } else if !verdict.has(part) {
        report.fail(check, Exit::Unavailable, &not_yet(phase));
    } else {
        verdict.tell(part, check, String::new(), report);
    }
}

fn tell_only_what_is_amiss(verdict: &mut Verdict, ids: &[&str], check: Check, report: &mut Report) {
    if verdict.has_any(ids) {
        verdict.tell_kinds(ids, check, String::new(), report);
    }
}

fn tell_only_part(verdict: &mut Verdict, part: &str, check: Check, report: &mut Report) {
    if verdict.has(part) {
        verdict.tell(part, check, String::new(), report);
    }
}

fn certificate(status: &Value, verdict: &mut Verdict, clock: &SharedClock, report: &mut Report) {
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let phase = text("/identity/phase");
    let expiry = ["certificate-expiring", "certificate-expired"];
    let end = text("/identity/not_after");
    let told_expiry = verdict.has_any(&expiry);
    if told_expiry {
        verdict.tell_kinds(&expiry, EXPIRY, String::new(), report);
    }
    let found = format!(
        "{} for thing {}",
        text("/identity/certificate_id"),
        text("/identity/thing_name")
    );
    part(verdict, ("identity", phase, "ready"), CERTIFICATE, found, report);
    if let (false, "ready", Ok(not_after)) = (told_expiry, phase, humantime::parse_rfc3339(end)) {
        let left = left_in_words(clock.aws_now(), not_after);
        report.ok(EXPIRY, format!("the certificate ends at {end}, in {left}"));
    }
}

async fn message_store(
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
        if let Some(since) = page.and_then(|page| messages::waits_since(&page.document, clock)) {
            return messages::tell_of_waiting(since, &counts, report);
        }
    }
    part(verdict, ("messages", phase, "ready"), MESSAGES, counts, report);
}

/// Each role alias that the daemon knows, and a call to AWS with the first credentials that this user gets.
async fn aliases(
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
    let mut proof = None;
    for name in names {
        let given = credentials(folders, name, verdict, clock, report).await;
        proof = proof.or(given.map(|credentials| (name.to_owned(), credentials)));
    }
    match (proof, config) {
        (Some((alias, credentials)), Some(config)) => call::check(config, &alias, &credentials, clock, report).await,
        (Some(_), None) => report.skip(AWS_CALL, "the configuration, which names the Region, cannot be read"),
        (None, _) => report.skip(AWS_CALL, "there are no credentials to sign it with"),
    }
}

/// What this user gets of `alias`.
async fn credentials(
    folders: &Folders,
    alias: &str,
    verdict: &mut Verdict,
    clock: &SharedClock,
    report: &mut Report,
) -> Option<Credentials> {
    let check = ROLE_ALIAS.of(alias);
    // An alias has nothing that would have to be escaped in a path.
    let Some(answer) = get(&socket(folders), &format!("/v1/credentials/{alias}")).await else {
        report.fail(check, Exit::Unavailable, &Problem::wait("the daemon did not answer"));
        return None;
    };
    let text = |name: &str| answer.document.get(name).and_then(Value::as_str);
    let end = text("Expiration");
    match (answer.status, end) {
        (200, Some(end)) => {
            verdict.tell_of_alias(alias, check, format!("credentials until {end}"), report);
        }
        (403, _) => {
            // Perhaps as it should be; who wants to know everything asks as root.
            let message = text("message").unwrap_or("no access rule gives it").to_owned();
            report.add(check.clone(), Outcome::Warn, message, text("hint"));
            if verdict.has_alias(alias) {
                verdict.tell_of_alias(alias, check, String::new(), report);
            }
        }
        _ if verdict.has_alias(alias) => {
            verdict.tell_of_alias(alias, check, String::new(), report);
        }
        _ => {
            let message = text("message").unwrap_or("the daemon's answer is not understood");
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
