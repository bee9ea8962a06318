//! `gatepost renew`: has the daemon request a new device certificate, and waits until AWS has accepted it.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::certificate::wait_until_accepted;
use crate::command_line::Matches;
use crate::daemon::{self, QUICK};
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::json::Value;
use crate::printable::printable;
use crate::wait_timeout::wait_timeout;
use crate::{output, status};

/// Interval between status queries, which the daemon answers from memory.
const INTERVAL: Duration = Duration::from_millis(250);
/// Default of --timeout, in seconds. The CA may take its time, and just-in-time provisioning takes a minute or two.
const TIMEOUT: u64 = 300;

/// The state of an attempt, as seen in the status.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    /// It has not ended, or the new certificate has not been read yet.
    Pending,
    /// It brought the certificate with this ID.
    Issued(String),
    /// It brought no certificate.
    Failed(String, Exit),
}

/// Requests a new certificate; with --wait, also prints the outcome.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let patience = wait_timeout(matches, TIMEOUT)?;
    let (_, before) = status::ask(socket)?;
    let document = daemon::ask_document(socket, Request::post("/v1/renew", b""), QUICK)?;
    let line = document.get("parts").items().first().unwrap_or(&Value::Null);
    let message = line.get("message").text().unwrap_or_default();
    match line.get("outcome").text() {
        Some("woken") => output::print(format!("{}\n", printable(message)).as_bytes())?,
        Some("impossible") => return Err(Failure::new(Exit::Attention, message)),
        _ => return Err(Failure::new(Exit::Unavailable, message)),
    };
    match matches.flag("--wait") {
        true => wait(socket, &before, patience),
        false => Ok(Exit::Ok),
    }
}

fn wait(socket: &Path, before: &Value, patience: Duration) -> Result<Exit, Failure> {
    let begin = Instant::now();
    loop {
        let (_, now) = status::ask(socket)?;
        match attempt(before, &now) {
            Attempt::Issued(id) => {
                output::print(format!("certificate {} was issued\n", printable(&id)).as_bytes())?;
                return wait_until_accepted(socket, &id, patience.saturating_sub(begin.elapsed()));
            }
            Attempt::Failed(why, exit) => {
                let failure = Failure::new(exit, why);
                return Err(failure.with_hint("the certificate in use stays in use; gatepost status shows the details"));
            }
            Attempt::Pending => {}
        }
        if begin.elapsed() + INTERVAL > patience {
            let message = format!("after {} s the request has not been answered", patience.as_secs());
            return Err(Failure::new(Exit::Unavailable, message).with_hint("gatepost status shows the details"));
        }
        sleep(INTERVAL);
    }
}

/// Compares two status documents. The first was taken before the request.
fn attempt(before: &Value, now: &Value) -> Attempt {
    let enrolment = |document: &Value| document.get("identity").get("enrolment").clone();
    let (old, new) = (enrolment(before), enrolment(now));
    let is_more = |name: &str| new.get(name).whole_number() > old.get(name).whole_number();
    let id = |document: &Value| document.get("identity").get("certificate_id").text().map(str::to_owned);
    if is_more("issued") {
        return match id(now) {
            Some(new) if Some(&new) != id(before).as_ref() => Attempt::Issued(new),
            _ => Attempt::Pending,
        };
    }
    if !is_more("attempts") {
        return Attempt::Pending;
    }
    let problem = new.get("problem");
    let Some(message) = problem.get("message").text() else {
        return Attempt::Pending;
    };
    let step = problem.get("next_step").text().map(|step| format!("; next: {step}"));
    let exit = match problem.get("remedy").text() {
        Some("configuration" | "factory") => Exit::Attention,
        _ => Exit::Unavailable,
    };
    Attempt::Failed(
        format!("no certificate was issued: {message}{}", step.unwrap_or_default()),
        exit,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(id: &str, enrolment: &str) -> Value {
        let text = format!(r#"{{"identity":{{"certificate_id":{id},"enrolment":{{{enrolment}}}}}}}"#);
        Value::parse(text.as_bytes()).unwrap_or(Value::Null)
    }

    #[test]
    fn the_status_reports_the_outcome_of_a_request() {
        let before = document(r#""a""#, r#""attempts":3,"issued":1"#);
        let failed = |why: &str, exit| Attempt::Failed(format!("no certificate was issued: {why}"), exit);
        for (id, enrolment, expected) in [
            (r#""a""#, r#""attempts":3,"issued":1"#, Attempt::Pending),
            // The attempt is counted already, but the new file has not been read yet.
            (r#""a""#, r#""attempts":4,"issued":2"#, Attempt::Pending),
            ("null", r#""attempts":4,"issued":2"#, Attempt::Pending),
            (r#""b""#, r#""attempts":4,"issued":2"#, Attempt::Issued("b".to_owned())),
            // The attempt is counted already, but its problem is not in the status yet.
            (r#""a""#, r#""attempts":4,"issued":1"#, Attempt::Pending),
            (
                r#""a""#,
                r#""attempts":4,"issued":1,"problem":{"remedy":"wait","message":"no route"}"#,
                failed("no route", Exit::Unavailable),
            ),
            (
                r#""a""#,
                r#""attempts":4,"issued":1,"problem":{"remedy":"configuration","message":"refused","next_step":"ask"}"#,
                failed("refused; next: ask", Exit::Attention),
            ),
            // A daemon that was restarted meanwhile counts from zero.
            (r#""b""#, r#""attempts":1,"issued":1"#, Attempt::Pending),
        ] {
            assert_eq!(attempt(&before, &document(id, enrolment)), expected, "{id} {enrolment}");
        }
    }
}
