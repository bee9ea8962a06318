//! `gatepost retry`: has the daemon make pending attempts now instead of later.

mod parts;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use self::parts::{Kind, attempts, certificates, outcome, part, title};
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
        text.push_str(&format!("no {} configured\n", missing_part(matches)));
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
        let exits = idle.iter().map(|line| outcome(part(&before, line), Kind::of(line)).1);
        return Ok(exits.fold(exit, Exit::worse));
    }
    wait(socket, &before, &mut pending, patience).map(|waited| exit.worse(waited))
}

/// Returns whether the daemon reports that the token has rejected the PIN, or that it is locked.
fn has_rejected_pin(status: &Value) -> bool {
    let mut problems = status.get("problems").items().iter();
    problems.any(|problem| problem.get("id").text() == Some("token-pin"))
}

/// Returns the words for what has no line because it is not configured.
fn missing_part(matches: &Matches) -> &'static str {
    match matches.verb {
        Some("web-tokens") => "audience is",
        Some("listeners") => "listeners are",
        Some("credentials-files") => "credentials files are",
        _ => "role alias is",
    }
}

fn target(matches: &Matches) -> String {
    let part = matches.verb.unwrap_or("all");
    match matches.operand(0) {
        Some(alias) => format!("/v1/retry/{part}/{}", percent::encode(alias.as_bytes())),
        None => format!("/v1/retry/{part}"),
    }
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
                    false => outcome(part_now, Kind::of(line)),
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
