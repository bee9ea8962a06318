//! While the daemon runs, it is asked: the token and the session are its own, and a second CONNECT with its client ID would
//! throw its session out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::messages::{self, Found};
use super::network::Trust;
use super::report::{Outcome, Report};
use super::{call, clock_line, expiry, network, skew_line};
use crate::clock::{SharedClock, Skew, is_set};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::identity::roots;
use crate::local;
use crate::problem::{Exit, Problem, Remedy};
use crate::secret::SecretString;

/// The daemon answers from memory.
const PATIENCE: Duration = Duration::from_secs(5);
/// A status document with a hundred role aliases is a quarter of this.
const MAX_ANSWER: usize = 256 * 1024;

/// An answer of the daemon's.
pub struct Answer {
    status: StatusCode,
    document: Value,
}

/// The daemon's status; `None` where no daemon answers.
pub async fn ask(config: &Config) -> Option<Answer> {
    get(&socket(config), "/v1/status").await
}

/// Where the daemon is asked: the command `gatepost` hands its `--socket` over in its own variable.
fn socket(config: &Config) -> PathBuf {
    let given = std::env::var_os("GATEPOST_SOCKET").filter(|given| !given.is_empty());
    given.map_or_else(|| local::path(&config.folders), PathBuf::from)
}

async fn get(socket: &Path, target: &str) -> Option<Answer> {
    let exchange = async {
        let stream = UnixStream::connect(socket).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let request = Request::get(target).header("host", "localhost");
        let request = request.body(Empty::<Bytes>::new()).ok()?;
        tokio::select! {
            answer = async {
                let answer = sender.send_request(request).await.ok()?;
                let status = answer.status();
                let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.ok()?;
                let document = serde_json::from_slice(&body.to_bytes()).ok()?;
                Some(Answer { status, document })
            } => answer,
            _ = connection => None,
        }
    };
    timeout(PATIENCE, exchange).await.ok()?
}

/// A line for each part, in the daemon's words.
pub async fn check(config: &Config, clock: &SharedClock, answer: Answer, report: &mut Report) {
    let status = &answer.document;
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    report.ok(
        "daemon",
        format!("gatepostd {} runs since {}", text("/version"), text("/started")),
    );
    clock_line(clock, report);
    let skew = status.pointer("/clock/skew_seconds").and_then(Value::as_i64);
    if let Some(skew) = skew {
        clock.take_over(Skew::from_seconds(skew));
    }
    skew_line(clock, report);
    let key = format!("{} {}", text("/token/key"), text("/token/algorithm"));
    part(status, "token", "ready", "token and key", key, report);
    if let Some(warning) = status.pointer("/token/warning").and_then(Value::as_str) {
        report.add("other keys", Outcome::Warn, warning.to_owned(), None);
    }
    let thing = format!(
        "{} for thing {}",
        text("/identity/certificate_id"),
        text("/identity/thing_name")
    );
    if part(status, "identity", "ready", "certificate", thing, report) {
        let end = text("/identity/not_after");
        let left = humantime::parse_rfc3339(end).ok();
        let left = left.and_then(|end| end.duration_since(clock.wall()).ok());
        let (outcome, message, step) = expiry(end, left);
        report.add("expiry", outcome, message, step);
    }
    let client = format!(
        "connected to {} as {}",
        text("/session/endpoint"),
        text("/session/client_id")
    );
    if !part(status, "session", "connected", "MQTT session", client, report) {
        if let Some(problem) = problem(status.get("provisioning")) {
            report.failed("provisioning", &problem);
        }
        let there = network::check("MQTT endpoint", &config.aws.mqtt_endpoint, report).await;
        if text("/identity/phase") != "ready" {
            without_certificate(config, clock, there, report).await;
        }
    } else if let Some(problem) = problem(status.get("provisioning")) {
        // Connected with the certificate before the newest.
        report.warn("provisioning", &problem);
    }
    message_store(config, clock, status, report).await;
    let mut proof = None;
    for alias in &config.role_aliases {
        let given = credentials(config, &alias.name, clock, report).await;
        proof = proof.or(given.map(|credentials| (alias.name.clone(), credentials)));
    }
    match proof {
        Some((alias, credentials)) => call::check(config, &alias, &credentials, clock, report).await,
        None => report.skip("AWS call", "there are no credentials to sign it with"),
    }
    if status.get("loopback").is_some_and(|part| !part.is_null()) {
        part(
            status,
            "loopback",
            "listening",
            "loopback",
            text("/loopback/listen").to_owned(),
            report,
        );
    }
}

/// What can be tried at both endpoints while there is no certificate.
async fn without_certificate(config: &Config, clock: &SharedClock, mqtt_is_there: bool, report: &mut Report) {
    let trust = match roots::load(config.aws.root_ca.as_deref()) {
        Ok(roots) if is_set(&**clock) => Some(Trust {
            roots,
            clock: clock.clone(),
        }),
        Ok(_) => None,
        Err(problem) => {
            report.failed("root CA", &problem);
            None
        }
    };
    let (mqtt, provider) = (&config.aws.mqtt_endpoint, &config.aws.credentials_endpoint);
    if let (true, Some(trust)) = (mqtt_is_there, &trust) {
        network::prove_server("MQTT endpoint: TLS", mqtt, true, trust, report).await;
    }
    let there = network::check("credentials endpoint", provider, report).await;
    if let (true, Some(trust)) = (there, &trust) {
        network::prove_server("credentials endpoint: TLS", provider, false, trust, report).await;
    }
}

async fn message_store(config: &Config, clock: &SharedClock, status: &Value, report: &mut Report) {
    // A daemon that was started before it was upgraded has none.
    let Some(document) = status.get("messages") else { return };
    let ready = document.get("phase").and_then(Value::as_str) == Some("ready");
    if !ready || problem(Some(document)).is_some() {
        part(status, "messages", "ready", messages::NAME, String::new(), report);
        return;
    }
    let waiting = document.get("queued").and_then(Value::as_u64) > Some(0);
    let page = match waiting {
        true => get(&socket(config), "/v1/outbox/queued").await,
        false => None,
    };
    Found::by_daemon(document, page.as_ref().map(|page| &page.document)).tell(clock, report);
}

/// Whether a part of the status is in its best phase.
fn part(status: &Value, part: &str, best: &str, name: &str, found: String, report: &mut Report) -> bool {
    let document = status.get(part);
    let phase = document
        .and_then(|part| part.get("phase"))
        .and_then(Value::as_str)
        .unwrap_or("unknown");
    let problem = problem(document);
    match (phase == best, problem) {
        (true, None) => report.ok(name, found),
        (true, Some(problem)) => report.warn(name, &problem),
        (false, Some(problem)) => report.failed(name, &problem),
        (false, None) => report.fail(name, Exit::Unavailable, &Problem::wait(format!("{phase}, so far"))),
    }
    phase == best
}

/// The daemon's problem, as it words it.
fn problem(part: Option<&Value>) -> Option<Problem> {
    let problem = part?.get("problem")?;
    let message = problem.get("message")?.as_str()?;
    let remedy = match problem.get("remedy").and_then(Value::as_str) {
        Some("none") => Remedy::None,
        Some("configuration") => Remedy::Configuration,
        Some("factory") => Remedy::Factory,
        _ => Remedy::Wait,
    };
    Some(Problem {
        event: None,
        remedy,
        message: message.to_owned(),
        next_step: problem.get("next_step").and_then(Value::as_str).map(str::to_owned),
    })
}

/// What this user gets of `alias`.
async fn credentials(config: &Config, alias: &str, clock: &SharedClock, report: &mut Report) -> Option<Credentials> {
    let name = format!("role alias {alias}");
    // An alias has nothing that would have to be escaped in a path.
    let Some(answer) = get(&socket(config), &format!("/v1/credentials/{alias}")).await else {
        report.fail(&name, Exit::Unavailable, &Problem::wait("the daemon did not answer"));
        return None;
    };
    let text = |name: &str| answer.document.get(name).and_then(Value::as_str);
    let said = Problem {
        event: None,
        remedy: Remedy::Wait,
        message: text("message")
            .unwrap_or("the daemon's answer is not understood")
            .to_owned(),
        next_step: text("hint").map(str::to_owned),
    };
    match answer.status {
        StatusCode::OK => {}
        StatusCode::FORBIDDEN => {
            // Perhaps as it should be; who wants to know everything asks as root.
            report.add(&name, Outcome::Warn, said.message, said.next_step.as_deref());
            return None;
        }
        _ => {
            report.failed(&name, &said);
            return None;
        }
    }
    let secret = |name: &str| text(name).map(SecretString::from);
    let end = text("Expiration")?;
    let expiration = humantime::parse_rfc3339(end).ok()?;
    report.ok(&name, format!("credentials until {end}"));
    Some(Credentials::received(
        text("AccessKeyId")?,
        &secret("SecretAccessKey")?,
        &secret("SessionToken")?,
        expiration,
        &**clock,
    ))
}
