//! `gatepost retry`: has the daemon make pending attempts now instead of later.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::command_line::Matches;
use crate::daemon::{self, QUICK};
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::json::Value;
use crate::printable::printable;
use crate::wait_timeout::wait_timeout;
use crate::{output, percent, status};

/// Interval between status queries, which the daemon answers from memory.
const INTERVAL: Duration = Duration::from_millis(250);
/// Default of --timeout, in seconds: 10 s until an attempt is permitted, and 30 s for a TPM and AWS.
const TIMEOUT: u64 = 60;

/// Requests the attempts and prints what the daemon does; with --wait, also prints the outcome.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let patience = wait_timeout(matches, TIMEOUT)?;
    let (_, before) = status::ask(socket)?;
    let target = target(matches);
    let document = daemon::ask_document(socket, Request::post(&target, b""), QUICK)?;
    let lines = document.get("parts").items();
    let mut text = String::new();
    for line in lines {
        let message = line.get("message").text().unwrap_or_default();
        text.push_str(&format!("{}: {}\n", printable(&title(line)), printable(message)));
    }
    if lines.is_empty() {
        text.push_str("no role alias is configured\n");
    }
    output::print(text.as_bytes())?;
    let is = |line: &Value, outcome: &str| line.get("outcome").text() == Some(outcome);
    let impossible = lines.iter().any(|line| is(line, "impossible"));
    let exit = match (impossible, has_rejected_pin(&before)) {
        (false, _) => Exit::Ok,
        // Opening the token is the only attempt that is never repeated automatically.
        (true, true) => Exit::NotAllowed,
        (true, false) => Exit::Attention,
    };
    if !matches.flag("--wait") {
        return Ok(exit);
    }
    let (mut pending, idle): (Vec<&Value>, Vec<&Value>) = lines
        .iter()
        .filter(|line| !is(line, "impossible"))
        .partition(|line| is(line, "woken") || is(line, "busy"));
    if pending.is_empty() {
        // No attempt was made. That is success only for a part that needs none.
        let exits = idle.iter().map(|line| outcome(part(&before, line), is_alias(line)).1);
        return Ok(exits.fold(exit, Exit::worse));
    }
    wait(socket, &before, &mut pending, patience).map(|waited| exit.worse(waited))
}

/// Returns whether the daemon reports that the token has rejected the PIN, or that it is locked.
fn has_rejected_pin(status: &Value) -> bool {
    let mut problems = status.get("problems").items().iter();
    problems.any(|problem| problem.get("id").text() == Some("token-pin"))
}

fn is_alias(line: &Value) -> bool {
    line.get("name").text().is_some()
}

fn target(matches: &Matches) -> String {
    let part = matches.verb.unwrap_or("all");
    match matches.operand(0) {
        Some(alias) => format!("/v1/retry/{part}/{}", percent::encode(alias.as_bytes())),
        None => format!("/v1/retry/{part}"),
    }
}

/// Returns the name of a part: "session", "role alias video".
fn title(line: &Value) -> String {
    match (line.get("part").text(), line.get("name").text()) {
        (_, Some(name)) => format!("role alias {name}"),
        (Some(part), None) => part.to_owned(),
        (None, None) => "unknown".to_owned(),
    }
}

/// Returns the part of the status that a line is about.
fn part<'a>(status: &'a Value, line: &Value) -> &'a Value {
    match line.get("name").text() {
        Some(name) => {
            let mut aliases = status.get("role_aliases").items().iter();
            aliases
                .find(|alias| alias.get("name").text() == Some(name))
                .unwrap_or(&Value::Null)
        }
        None => status.get(line.get("part").text().unwrap_or_default()),
    }
}

/// Returns the number of attempts of a part that have ended since the daemon was started.
fn attempts(part: &Value) -> u64 {
    let count = |value: &Value| value.whole_number().unwrap_or_default();
    let refreshes = part.get("refreshes");
    let of_alias = ["succeeded", "transient", "refused"].map(|name| count(refreshes.get(name)));
    let of_part = ["attempts", "openings", "checks"].map(|name| count(part.get(name)));
    let of_enrolment = [count(part.get("enrolment").get("attempts"))];
    of_part.iter().chain(&of_enrolment).chain(&of_alias).sum()
}

/// Returns the number of certificates that were issued since the daemon was started.
fn certificates(part: &Value) -> u64 {
    part.get("enrolment").get("issued").whole_number().unwrap_or_default()
}

fn wait(socket: &Path, before: &Value, pending: &mut Vec<&Value>, patience: Duration) -> Result<Exit, Failure> {
    let until = Instant::now().checked_add(patience);
    let mut exit = Exit::Ok;
    loop {
        let (_, now) = status::ask(socket)?;
        let mut text = String::new();
        pending.retain(|line| {
            let part_now = part(&now, line);
            let part_before = part(before, line);
            let has_ended = attempts(part_now) > attempts(part_before);
            if has_ended {
                let (said, worst) = match certificates(part_now) > certificates(part_before) {
                    // The identity's task reads it a moment later.
                    true => ("a certificate was issued".to_owned(), Exit::Ok),
                    false => outcome(part_now, is_alias(line)),
                };
                let is_pin = line.get("part").text() == Some("token") && has_rejected_pin(&now);
                let worst = if is_pin { Exit::NotAllowed } else { worst };
                text.push_str(&format!("{}: {}\n", printable(&title(line)), printable(&said)));
                exit = exit.worse(worst);
            }
            !has_ended
        });
        output::print(text.as_bytes())?;
        if pending.is_empty() {
            return Ok(exit);
        }
        if until.is_some_and(|until| Instant::now() + INTERVAL > until) {
            let names: Vec<String> = pending.iter().map(|line| title(line)).collect();
            let message = format!(
                "after {} s no attempt has ended: {}",
                patience.as_secs(),
                names.join(", ")
            );
            return Err(Failure::new(Exit::Unavailable, message).with_hint("gatepost status shows the details"));
        }
        sleep(INTERVAL);
    }
}

/// Returns a sentence about the attempt that has ended, and its exit code.
///
/// A role alias keeps its credentials when a refresh fails, so its phase alone does not tell whether the attempt succeeded: any problem is
/// a failure. A session or a token in its best phase has succeeded even if it has another problem.
fn outcome(part: &Value, is_alias: bool) -> (String, Exit) {
    let phase = part.get("phase").text().unwrap_or("unknown");
    let problem = part.get("problem");
    let is_best = matches!(phase, "connected" | "valid" | "ready");
    let exit = match problem.get("remedy").text() {
        Some("configuration" | "factory") => Exit::Attention,
        Some(_) if is_alias => Exit::Unavailable,
        _ if is_best => Exit::Ok,
        _ => Exit::Unavailable,
    };
    // "valid" could be mistaken for success.
    let state = match is_alias && is_best && exit != Exit::Ok {
        true => "not refreshed; the current credentials stay valid",
        false => phase,
    };
    let message = problem.get("message").text().map(|message| format!(": {message}"));
    let step = problem.get("next_step").text().map(|step| format!("; next: {step}"));
    let said = format!("{state}{}{}", message.unwrap_or_default(), step.unwrap_or_default());
    (said, exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::parse(text.as_bytes()).unwrap_or(Value::Null)
    }

    #[test]
    fn attempts_are_counted_in_each_part() {
        let status = value(
            r#"{"session":{"attempts":3,"connects":1},"identity":{"enrolment":{"attempts":4}},"token":{"openings":2,"signatures":9,"checks":3},
                "role_aliases":[{"name":"a","refreshes":{"succeeded":1,"transient":2,"refused":4}},{"name":"b"}]}"#,
        );
        for (line, count) in [
            (r#"{"part":"session","name":null}"#, 3),
            (r#"{"part":"token","name":null}"#, 5),
            (r#"{"part":"credentials","name":"a"}"#, 7),
            (r#"{"part":"credentials","name":"b"}"#, 0),
            (r#"{"part":"credentials","name":"c"}"#, 0),
            (r#"{"part":"identity","name":null}"#, 4),
            (r#"{"part":"unheard-of","name":null}"#, 0),
        ] {
            assert_eq!(attempts(part(&status, &value(line))), count, "{line}");
        }
    }

    #[test]
    fn certificates_are_counted_where_a_server_issues_them() {
        let issued = value(r#"{"enrolment":{"attempts":4,"issued":2}}"#);
        let never = value(r#"{"enrolment":{"attempts":4},"issued":3}"#);
        assert_eq!((certificates(&issued), certificates(&never)), (2, 0));
    }

    #[test]
    fn an_outcome_is_a_sentence_and_an_exit_code() {
        let waits = r#""problem":{"remedy":"wait","message":"no route","next_step":"wait"}"#;
        let refused = r#""problem":{"remedy":"configuration","message":"AWS says no","next_step":null}"#;
        let lock = r#""problem":{"remedy":"factory","message":"the PIN is locked","next_step":null}"#;
        let stays = "not refreshed; the current credentials stay valid";
        for (is_alias, part, said, exit) in [
            (
                false,
                r#"{"phase":"connected","problem":null}"#.to_owned(),
                "connected".to_owned(),
                Exit::Ok,
            ),
            (
                false,
                format!(r#"{{"phase":"connected",{waits}}}"#),
                "connected: no route; next: wait".to_owned(),
                Exit::Ok,
            ),
            (
                false,
                format!(r#"{{"phase":"waiting",{waits}}}"#),
                "waiting: no route; next: wait".to_owned(),
                Exit::Unavailable,
            ),
            (
                false,
                r#"{"phase":"connecting"}"#.to_owned(),
                "connecting".to_owned(),
                Exit::Unavailable,
            ),
            (
                false,
                format!(r#"{{"phase":"ready",{waits}}}"#),
                "ready: no route; next: wait".to_owned(),
                Exit::Ok,
            ),
            (
                false,
                format!(r#"{{"phase":"failed",{lock}}}"#),
                "failed: the PIN is locked".to_owned(),
                Exit::Attention,
            ),
            (
                true,
                r#"{"phase":"valid","problem":null}"#.to_owned(),
                "valid".to_owned(),
                Exit::Ok,
            ),
            (
                true,
                format!(r#"{{"phase":"valid",{waits}}}"#),
                format!("{stays}: no route; next: wait"),
                Exit::Unavailable,
            ),
            (
                true,
                format!(r#"{{"phase":"valid",{refused}}}"#),
                format!("{stays}: AWS says no"),
                Exit::Attention,
            ),
            (
                true,
                format!(r#"{{"phase":"failing",{waits}}}"#),
                "failing: no route; next: wait".to_owned(),
                Exit::Unavailable,
            ),
            (
                true,
                format!(r#"{{"phase":"failing",{refused}}}"#),
                "failing: AWS says no".to_owned(),
                Exit::Attention,
            ),
            (true, "{}".to_owned(), "unknown".to_owned(), Exit::Unavailable),
        ] {
            assert_eq!(outcome(&value(&part), is_alias), (said, exit), "{part}");
        }
    }
}
