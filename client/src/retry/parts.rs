//! The parts of the status that `gatepost retry` is about: their names, their attempts, and the outcomes.

use crate::exit::Exit;
use crate::json::Value;

/// The kinds of parts, by what stays usable when an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A role alias, whose credentials stay valid when a refresh fails.
    Alias,
    /// A web token, which stays valid when its replacement fails.
    WebToken,
    /// A part of which nothing stays.
    Other,
}

impl Kind {
    pub(super) fn of(line: &Value) -> Self {
        match (line.get("part").text(), line.get("name").text()) {
            (Some("web_tokens"), Some(_)) => Self::WebToken,
            (_, Some(_)) => Self::Alias,
            (_, None) => Self::Other,
        }
    }
}

/// Returns the name of a part: "session", "role alias video".
pub(super) fn title(line: &Value) -> String {
    match (line.get("part").text(), line.get("name").text()) {
        (Some("web_tokens"), Some(audience)) => format!("token for {audience}"),
        (Some("loopback"), None) => "loopback listener".to_owned(),
        (Some("local_mqtt"), None) => "MQTT listeners".to_owned(),
        (Some("credentials_files"), None) => "credentials files".to_owned(),
        (_, Some(name)) => format!("role alias {name}"),
        (Some(part), None) => part.to_owned(),
        (None, None) => "unknown".to_owned(),
    }
}

/// Returns the part of the status that a line is about.
pub(super) fn part<'a>(status: &'a Value, line: &Value) -> &'a Value {
    let (list, key) = match Kind::of(line) {
        Kind::WebToken => ("web_tokens", "audience"),
        Kind::Alias | Kind::Other => ("role_aliases", "name"),
    };
    match line.get("name").text() {
        Some(name) => {
            let mut parts = status.get(list).items().iter();
            parts
                .find(|part| part.get(key).text() == Some(name))
                .unwrap_or(&Value::Null)
        }
        None => status.get(line.get("part").text().unwrap_or_default()),
    }
}

/// Returns the number of attempts of a part that have ended since the daemon was started.
pub(super) fn attempts(part: &Value) -> u64 {
    let count = |value: &Value| value.whole_number().unwrap_or_default();
    let refreshes = part.get("refreshes");
    let of_alias = ["succeeded", "transient", "refused"].map(|name| count(refreshes.get(name)));
    let of_part =
        ["attempts", "retries", "openings", "checks", "succeeded", "failed"].map(|name| count(part.get(name)));
    let of_enrolment = [count(part.get("enrolment").get("attempts"))];
    of_part.iter().chain(&of_enrolment).chain(&of_alias).sum()
}

/// Returns the number of certificates that were issued since the daemon was started.
pub(super) fn certificates(part: &Value) -> u64 {
    part.get("enrolment").get("issued").whole_number().unwrap_or_default()
}

/// Returns a sentence about the attempt that has ended, and its exit code.
///
/// A role alias keeps its credentials when a refresh fails, and a web token stays as well, so the phase alone does not tell whether the
/// attempt succeeded: any problem is a failure. A session or a token in its best phase has succeeded even if it has another problem.
pub(super) fn outcome(part: &Value, kind: Kind) -> (String, Exit) {
    let phase = part.get("phase").text().unwrap_or("unknown");
    let problem = part.get("problem");
    let is_best = matches!(phase, "connected" | "valid" | "ready" | "listening" | "written");
    let exit = match problem.get("remedy").text() {
        Some("configuration" | "factory") => Exit::Attention,
        Some(_) if kind != Kind::Other => Exit::Unavailable,
        _ if is_best => Exit::Ok,
        _ => Exit::Unavailable,
    };
    // "valid" could be mistaken for success.
    let state = match kind {
        Kind::Alias if is_best && exit != Exit::Ok => "not refreshed; the current credentials stay valid",
        Kind::WebToken if is_best && exit != Exit::Ok => "not replaced; the current token stays valid",
        _ => phase,
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
            r#"{"session":{"attempts":3,"connects":1,"retries":8},"identity":{"enrolment":{"attempts":4}},"token":{"openings":2,"signatures":9,"checks":3},
                "role_aliases":[{"name":"a","refreshes":{"succeeded":1,"transient":2,"refused":4}},{"name":"b"}],
                "web_tokens":[{"audience":"a","succeeded":5,"failed":4},{"audience":"https://vault.example"}],
                "loopback":{"attempts":2},"local_mqtt":{"attempts":6},"credentials_files":{"attempts":8}}"#,
        );
        for (line, count) in [
            (r#"{"part":"session","name":null}"#, 11),
            (r#"{"part":"web_tokens","name":"a"}"#, 9),
            (r#"{"part":"web_tokens","name":"https://vault.example"}"#, 0),
            (r#"{"part":"web_tokens","name":"b"}"#, 0),
            (r#"{"part":"loopback","name":null}"#, 2),
            (r#"{"part":"local_mqtt","name":null}"#, 6),
            (r#"{"part":"credentials_files","name":null}"#, 8),
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
        use Kind::{Alias, Other, WebToken};
        let keeps = "not replaced; the current token stays valid";
        for (kind, part, said, exit) in [
            (
                Other,
                r#"{"phase":"connected","problem":null}"#.to_owned(),
                "connected".to_owned(),
                Exit::Ok,
            ),
            (
                Other,
                format!(r#"{{"phase":"connected",{waits}}}"#),
                "connected: no route; next: wait".to_owned(),
                Exit::Ok,
            ),
            (
                Other,
                format!(r#"{{"phase":"waiting",{waits}}}"#),
                "waiting: no route; next: wait".to_owned(),
                Exit::Unavailable,
            ),
            (
                Other,
                r#"{"phase":"connecting"}"#.to_owned(),
                "connecting".to_owned(),
                Exit::Unavailable,
            ),
            (
                Other,
                format!(r#"{{"phase":"ready",{waits}}}"#),
                "ready: no route; next: wait".to_owned(),
                Exit::Ok,
            ),
            (
                Other,
                format!(r#"{{"phase":"failed",{lock}}}"#),
                "failed: the PIN is locked".to_owned(),
                Exit::Attention,
            ),
            (
                Alias,
                r#"{"phase":"valid","problem":null}"#.to_owned(),
                "valid".to_owned(),
                Exit::Ok,
            ),
            (
                Alias,
                format!(r#"{{"phase":"valid",{waits}}}"#),
                format!("{stays}: no route; next: wait"),
                Exit::Unavailable,
            ),
            (
                Alias,
                format!(r#"{{"phase":"valid",{refused}}}"#),
                format!("{stays}: AWS says no"),
                Exit::Attention,
            ),
            (
                Alias,
                format!(r#"{{"phase":"failing",{waits}}}"#),
                "failing: no route; next: wait".to_owned(),
                Exit::Unavailable,
            ),
            (
                Alias,
                format!(r#"{{"phase":"failing",{refused}}}"#),
                "failing: AWS says no".to_owned(),
                Exit::Attention,
            ),
            (
                WebToken,
                r#"{"phase":"valid","problem":null}"#.to_owned(),
                "valid".to_owned(),
                Exit::Ok,
            ),
            (
                WebToken,
                format!(r#"{{"phase":"valid",{waits}}}"#),
                format!("{keeps}: no route; next: wait"),
                Exit::Unavailable,
            ),
            (
                WebToken,
                format!(r#"{{"phase":"failing",{refused}}}"#),
                "failing: AWS says no".to_owned(),
                Exit::Attention,
            ),
            (
                Other,
                r#"{"phase":"listening","problem":null}"#.to_owned(),
                "listening".to_owned(),
                Exit::Ok,
            ),
            (
                Other,
                format!(r#"{{"phase":"listening",{refused}}}"#),
                "listening: AWS says no".to_owned(),
                Exit::Attention,
            ),
            (
                Other,
                r#"{"phase":"written","problem":null}"#.to_owned(),
                "written".to_owned(),
                Exit::Ok,
            ),
            (Alias, "{}".to_owned(), "unknown".to_owned(), Exit::Unavailable),
        ] {
            assert_eq!(outcome(&value(&part), kind), (said, exit), "{part}");
        }
    }
}
