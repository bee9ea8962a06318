//! `gatepost retry`: what waits for its next attempt makes it now.

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
use crate::words::number;
use crate::{output, percent, status};

/// Between two looks at the status, which the daemon answers from memory.
const INTERVAL: Duration = Duration::from_millis(250);
/// Seconds to wait for the attempts, unless --timeout says otherwise: 10 s until one may be made, and 30 s for a TPM and AWS.
const TIMEOUT: u64 = 60;

/// Has the daemon try, and says what it does; with --wait, also what came of it.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let seconds = matches.value("--timeout");
    if seconds.is_some() && !matches.flag("--wait") {
        return Err(matches.usage_error("--timeout needs --wait"));
    }
    let seconds = seconds.map_or(Ok(TIMEOUT), |word| number("--timeout", word, "seconds"))?;
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
    let exit = if impossible { Exit::Attention } else { Exit::Ok };
    let mut pending: Vec<&Value> = lines
        .iter()
        .filter(|line| is(line, "woken") || is(line, "busy"))
        .collect();
    if !matches.flag("--wait") || pending.is_empty() {
        return Ok(exit);
    }
    wait(socket, &before, &mut pending, Duration::from_secs(seconds)).map(|waited| exit.worse(waited))
}

fn target(matches: &Matches) -> String {
    let part = matches.verb.unwrap_or("all");
    match matches.operand(0) {
        Some(alias) => format!("/v1/retry/{part}/{}", percent::encode(alias.as_bytes())),
        None => format!("/v1/retry/{part}"),
    }
}

/// "session", "role alias video".
fn title(line: &Value) -> String {
    match (line.get("part").text(), line.get("name").text()) {
        (_, Some(name)) => format!("role alias {name}"),
        (Some(part), None) => part.to_owned(),
        (None, None) => "unknown".to_owned(),
    }
}

/// The part of the status that a line is about.
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

/// The attempts of a part that have ended since the daemon was started.
fn attempts(part: &Value) -> u64 {
    let count = |value: &Value| value.whole_number().unwrap_or_default();
    let refreshes = part.get("refreshes");
    let of_alias = ["succeeded", "transient", "refused"].map(|name| count(refreshes.get(name)));
    count(part.get("attempts")) + count(part.get("openings")) + of_alias.iter().sum::<u64>()
}

fn wait(socket: &Path, before: &Value, pending: &mut Vec<&Value>, patience: Duration) -> Result<Exit, Failure> {
    let until = Instant::now().checked_add(patience);
    let mut exit = Exit::Ok;
    loop {
        let (_, now) = status::ask(socket)?;
        let mut text = String::new();
        pending.retain(|line| {
            let part_now = part(&now, line);
            let has_ended = attempts(part_now) > attempts(part(before, line));
            if has_ended {
                let (said, worst) = outcome(part_now);
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

/// What came of an attempt, and the exit code for it.
fn outcome(part: &Value) -> (String, Exit) {
    let phase = part.get("phase").text().unwrap_or("unknown");
    let problem = part.get("problem");
    let exit = match (problem.get("remedy").text(), phase) {
        (Some("configuration" | "factory"), _) => Exit::Attention,
        (_, "connected" | "valid" | "ready") => Exit::Ok,
        _ => Exit::Unavailable,
    };
    let message = problem.get("message").text().map(|message| format!(": {message}"));
    let step = problem.get("next_step").text().map(|step| format!("; next: {step}"));
    let said = format!("{phase}{}{}", message.unwrap_or_default(), step.unwrap_or_default());
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
            r#"{"session":{"attempts":3,"connects":1},"token":{"openings":2,"signatures":9},
                "role_aliases":[{"name":"a","refreshes":{"succeeded":1,"transient":2,"refused":4}},{"name":"b"}]}"#,
        );
        for (line, count) in [
            (r#"{"part":"session","name":null}"#, 3),
            (r#"{"part":"token","name":null}"#, 2),
            (r#"{"part":"credentials","name":"a"}"#, 7),
            (r#"{"part":"credentials","name":"b"}"#, 0),
            (r#"{"part":"credentials","name":"c"}"#, 0),
            (r#"{"part":"unheard-of","name":null}"#, 0),
        ] {
            assert_eq!(attempts(part(&status, &value(line))), count, "{line}");
        }
    }

    #[test]
    fn an_outcome_is_a_sentence_and_an_exit_code() {
        for (part, said, exit) in [
            (r#"{"phase":"connected","problem":null}"#, "connected", Exit::Ok),
            (
                r#"{"phase":"waiting","problem":{"remedy":"wait","message":"no route","next_step":"wait"}}"#,
                "waiting: no route; next: wait",
                Exit::Unavailable,
            ),
            (
                r#"{"phase":"valid","problem":{"remedy":"configuration","message":"AWS says no","next_step":null}}"#,
                "valid: AWS says no",
                Exit::Attention,
            ),
            ("{}", "unknown", Exit::Unavailable),
        ] {
            assert_eq!(outcome(&value(part)), (said.to_owned(), exit), "{part}");
        }
    }
}
