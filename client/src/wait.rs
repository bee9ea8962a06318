//! `gatepost wait`: waits until the gateway has reached a state, for scripts.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::words::number;
use crate::{output, status};

/// Interval between status queries, which the daemon answers from memory.
const INTERVAL: Duration = Duration::from_millis(500);
/// Default of --timeout, in seconds; longer than an undisturbed first boot takes.
const TIMEOUT: u64 = 120;

/// A state that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// Everything is in order.
    Ready,
    /// The certificate signing request exists.
    Csr,
    /// The gateway has a certificate that matches its key.
    Certificate,
}

impl Goal {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "ready" => Some(Self::Ready),
            "csr" => Some(Self::Csr),
            "certificate" => Some(Self::Certificate),
            _ => None,
        }
    }

    fn is_reached(self, document: &Value) -> bool {
        let identity = document.get("identity");
        match self {
            // A certificate that expires in 29 days does not prevent a script from working.
            Self::Ready => document
                .get("working")
                .flag()
                .unwrap_or_else(|| document.get("state").text() == Some("ready")),
            // The request is written before the daemon looks for a certificate.
            Self::Csr => !matches!(identity.get("phase").text(), None | Some("no-key")),
            Self::Certificate => identity.get("certificate_id").text().is_some(),
        }
    }
}

/// Waits until the goal is reached. If the time runs out, fails with the reason.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let goal = matches
        .value("--for")
        .map_or(Some(Goal::Ready), |word| Goal::parse(word.to_str()?));
    let goal = goal.ok_or_else(|| matches.usage_error("--for takes no such state"))?;
    let seconds = matches.value("--timeout");
    let seconds = seconds.map_or(Ok(TIMEOUT), |word| number("--timeout", word, "seconds"))?;
    // 0 means no limit, and so does a number that exceeds the clock's range.
    let until = (seconds > 0)
        .then(|| Instant::now().checked_add(Duration::from_secs(seconds)))
        .flatten();
    let mut told = String::new();
    loop {
        // Polling must not start a daemon whose PIN was rejected: each start would try the PIN again.
        let outcome = status::look_again(socket);
        if let Ok((_, document)) = &outcome
            && goal.is_reached(document)
        {
            return Ok(Exit::Ok);
        }
        if until.is_some_and(|until| Instant::now() + INTERVAL > until) {
            let seen = outcome.or_else(|_| status::look(socket));
            return Err(too_late(seen.map(|(_, document)| document), seconds));
        }
        // The daemon may be about to start. Each change of the summary is a line.
        if let Ok((_, document)) = &outcome {
            let summary = document.get("summary").text().unwrap_or_default();
            if summary != told {
                output::note(&format!("waiting: {summary}"));
                told = summary.to_owned();
            }
        }
        sleep(INTERVAL);
    }
}

/// Reports the last state, with the exit code that `gatepost status` has for it.
fn too_late(seen: Result<Value, Failure>, seconds: u64) -> Failure {
    match seen {
        Err(failure) => failure.about(format!("after {seconds} s")),
        Ok(document) => {
            let summary = document.get("summary").text().unwrap_or_default();
            Failure::new(
                status::exit(&document).unless_ready(),
                format!("after {seconds} s: {summary}"),
            )
            .with_hint("gatepost status shows the details")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Goal, too_late};
    use crate::command_line::WAIT_STATES;
    use crate::exit::{Exit, Failure};
    use crate::json::Value;

    #[test]
    fn every_state_of_the_table_is_a_goal() {
        for word in WAIT_STATES {
            assert!(Goal::parse(word).is_some(), "{word}");
        }
        assert_eq!(Goal::parse("raedy"), None);
    }

    #[test]
    fn a_timeout_has_the_exit_code_of_the_status() {
        for (exit_code, expected) in [
            (0, Exit::Unavailable),
            (68, Exit::NotRunning),
            (69, Exit::Unavailable),
            (77, Exit::NotAllowed),
            (78, Exit::Attention),
        ] {
            let text = format!(r#"{{"state":"attention","exit_code":{exit_code},"summary":"the sentence"}}"#);
            let failure = too_late(Ok(Value::parse(text.as_bytes()).unwrap()), 5);
            assert_eq!(failure.exit(), expected);
            assert_eq!(failure.message(), "after 5 s: the sentence");
        }
        let failure = too_late(Err(Failure::no_daemon("nobody listens").about_the_daemon()), 5);
        assert_eq!(failure.exit(), Exit::NotRunning);
    }

    #[test]
    fn goals_are_read_from_the_status() {
        let status = |state: &str, phase: &str, id: &str| {
            let text = format!(r#"{{"state":"{state}","identity":{{"phase":"{phase}","certificate_id":{id}}}}}"#);
            Value::parse(text.as_bytes()).unwrap()
        };
        for (document, ready, csr, certificate) in [
            (status("waiting", "no-key", "null"), false, false, false),
            (status("waiting", "no-certificate", "null"), false, true, false),
            (status("attention", "no-certificate", "null"), false, true, false),
            (status("waiting", "loaded", "\"ab\""), false, true, true),
            (status("ready", "loaded", "\"ab\""), true, true, true),
            (Value::Null, false, false, false),
        ] {
            assert_eq!(Goal::Ready.is_reached(&document), ready, "{}", document.json());
            assert_eq!(Goal::Csr.is_reached(&document), csr, "{}", document.json());
            assert_eq!(
                Goal::Certificate.is_reached(&document),
                certificate,
                "{}",
                document.json()
            );
        }
        assert_eq!(Goal::parse("online"), None);
    }
}
