//! `gatepost certificate`: shows the device certificate, or has gatepostd install a new one and waits for AWS.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::printable::printable;
use crate::words::number;
use crate::{gatepostd, instant, output, status};

/// Interval between status queries, which the daemon answers from memory.
const INTERVAL: Duration = Duration::from_millis(500);
/// Default of --timeout, in seconds. Just-in-time provisioning takes a minute or two.
const TIMEOUT: u64 = 300;
/// Hexadecimal digits of a certificate ID (SHA-256).
const ID_LENGTH: usize = 64;

/// Shows the certificate, or installs one.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    match matches.verb {
        Some("install") => install(socket, matches),
        _ => show(socket, matches.flag("--json")),
    }
}

fn show(socket: &Path, json: bool) -> Result<Exit, Failure> {
    let (_, document) = status::ask(socket)?;
    let identity = document.get("identity");
    let Some(id) = identity.get("certificate_id").text() else {
        let problem = identity.get("problem");
        let message = problem.get("message").text().unwrap_or("there is no certificate yet");
        let failure = Failure::new(Exit::Unknown, message);
        return Err(match problem.get("next_step").text() {
            Some(step) => failure.with_hint(format!("next: {step}")),
            None => failure,
        });
    };
    if json {
        return output::print(&output::json_lines(std::slice::from_ref(identity)));
    }
    let text = |name| identity.get(name).text().unwrap_or_default().to_owned();
    let now = document.get("now").text().and_then(instant::Instant::parse);
    let end = text("not_after");
    let left = instant::Instant::parse(&end)
        .zip(now)
        .map(|(end, now)| format!(" ({})", end.seen_from(now)));
    let lines = [
        ("certificate", id.to_owned()),
        ("thing name", text("thing_name")),
        ("subject", text("subject")),
        ("key", text("key")),
        ("valid from", text("not_before")),
        ("valid until", format!("{end}{}", left.unwrap_or_default())),
        ("file", text("certificate_path")),
        ("AWS", standing(&document, id)),
    ];
    // A daemon of an earlier version does not name the key.
    let lines = lines
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<13}{}\n", printable(value)));
    output::print(lines.collect::<String>().as_bytes())
}

/// Says whether AWS accepts the certificate.
fn standing(document: &Value, id: &str) -> String {
    let session = document.get("session");
    match (session.get("certificate_id").text(), session.get("phase").text()) {
        (Some(accepted), Some("connected")) if accepted == id => "connected with it".to_owned(),
        (Some(accepted), _) if accepted == id => "has accepted it, and is not connected now".to_owned(),
        (Some(accepted), _) => format!("has not accepted it yet; certificate {accepted} is in use"),
        (None, _) => "has not accepted it since gatepostd was started".to_owned(),
    }
}

fn install(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let seconds = matches.value("--timeout");
    if seconds.is_some() && !matches.flag("--wait") {
        return Err(matches.usage_error("--timeout needs --wait"));
    }
    let seconds = seconds.map_or(Ok(TIMEOUT), |word| number("--timeout", word, "seconds"))?;
    let said = match gatepostd::install_certificate(socket, matches)? {
        Ok(said) => said,
        Err(exit) => return Ok(exit),
    };
    output::print(said.as_bytes())?;
    match (matches.flag("--wait"), certificate_id(&said)) {
        (false, _) => Ok(Exit::Ok),
        (true, Some(id)) => wait_until_accepted(socket, id, Duration::from_secs(seconds)),
        (true, None) => Err(Failure::new(
            Exit::Protocol,
            "gatepostd did not return the certificate's ID",
        )),
    }
}

/// Finds the certificate ID in the output of gatepostd.
fn certificate_id(said: &str) -> Option<&str> {
    let is_id = |word: &&str| word.len() == ID_LENGTH && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    said.split_whitespace().find(is_id)
}

/// Waits until AWS has accepted a connection with the certificate `id`.
pub(crate) fn wait_until_accepted(socket: &Path, id: &str, patience: Duration) -> Result<Exit, Failure> {
    let until = Instant::now().checked_add(patience);
    let mut told = String::new();
    loop {
        let seen = status::ask(socket);
        if let Ok((_, document)) = &seen {
            let session = document.get("session");
            if session.get("certificate_id").text() == Some(id) && session.get("phase").text() == Some("connected") {
                return output::print(b"AWS has accepted it: the session continues with it\n");
            }
        }
        if until.is_some_and(|until| Instant::now() + INTERVAL > until) {
            let seconds = patience.as_secs();
            return Err(match seen {
                Err(failure) => failure.about(format!("after {seconds} s")),
                Ok((_, document)) => Failure::new(
                    status::exit(&document).unless_ready(),
                    format!("after {seconds} s AWS has not accepted it: {}", obstacle(&document, id)),
                )
                .with_hint("the certificate that was in use before still is; gatepost status shows the details"),
            });
        }
        // The daemon may be about to start, so this is no reason to give up.
        if let Ok((_, document)) = &seen {
            let obstacle = obstacle(document, id);
            if obstacle != told {
                output::note(&format!("waiting: {obstacle}"));
                told = obstacle;
            }
        }
        sleep(INTERVAL);
    }
}

/// Returns the reason why the certificate is not in use yet.
fn obstacle(document: &Value, id: &str) -> String {
    let identity = document.get("identity");
    let is_taken = identity.get("certificate_id").text() == Some(id);
    let message = |part: &Value| part.get("problem").get("message").text().map(str::to_owned);
    if !is_taken {
        return message(identity).unwrap_or_else(|| "gatepostd has not read it yet".to_owned());
    }
    message(document.get("provisioning"))
        .or_else(|| message(document.get("session")))
        .unwrap_or_else(|| "it is being tried".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::parse(text.as_bytes()).unwrap_or(Value::Null)
    }

    #[test]
    fn the_id_is_found_in_the_output() {
        let id = "0123456789abcdef".repeat(4);
        for (said, found) in [
            (
                format!("/var/lib/x is now certificate {id} for thing gw-1, valid until Z\n"),
                true,
            ),
            (format!("nothing changed: certificate {id}\n"), true),
            (format!("certificate {id}0\n"), false),
            ("certificate\n".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(certificate_id(&said), found.then_some(id.as_str()), "{said}");
        }
    }

    #[test]
    fn what_aws_makes_of_it_and_what_is_in_the_way() {
        for (document, stands, is_in_the_way) in [
            (
                r#"{"identity":{"certificate_id":"b"},"session":{"phase":"connected","certificate_id":"b"}}"#,
                "connected with it",
                "it is being tried",
            ),
            (
                r#"{"identity":{"certificate_id":"b"},"session":{"phase":"waiting","certificate_id":"b","problem":{"message":"no route"}}}"#,
                "has accepted it, and is not connected now",
                "no route",
            ),
            (
                r#"{"identity":{"certificate_id":"b"},"session":{"phase":"connected","certificate_id":"a"},
                    "provisioning":{"problem":{"message":"AWS drops it"}}}"#,
                "has not accepted it yet; certificate a is in use",
                "AWS drops it",
            ),
            (
                r#"{"identity":{"certificate_id":"a","problem":{"message":"is cut off"}},"session":{"phase":"idle"}}"#,
                "has not accepted it since gatepostd was started",
                "is cut off",
            ),
            (
                "{}",
                "has not accepted it since gatepostd was started",
                "gatepostd has not read it yet",
            ),
        ] {
            let document = value(document);
            assert_eq!(standing(&document, "b"), stands);
            assert_eq!(obstacle(&document, "b"), is_in_the_way);
        }
    }
}
