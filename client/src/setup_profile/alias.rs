//! Checks that the daemon has the role alias that a profile is to name.

use std::path::Path;

use crate::command_line::did_you_mean;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::status;

/// Refuses a role alias that the daemon does not have. If the daemon does not answer, every alias is accepted, because a profile may be
/// written before gatepost is configured.
pub(super) fn check(socket: &Path, alias: Option<&str>) -> Result<(), Failure> {
    match status::look(socket) {
        Ok((_, document)) => judge(&document, alias),
        Err(_) => Ok(()),
    }
}

fn judge(document: &Value, alias: Option<&str>) -> Result<(), Failure> {
    let Value::Array(aliases) = document.get("role_aliases") else {
        // The document is about a daemon that is not running.
        return Ok(());
    };
    // Aliases that were added to the files since they were loaded are accepted too.
    let new = document.get("configuration").get("new_role_aliases").items().iter();
    let known: Vec<&str> = aliases
        .iter()
        .filter_map(|known| known.get("name").text())
        .chain(new.filter_map(Value::text))
        .collect();
    let is_default = |known: &Value| known.get("default").flag() == Some(true);
    let message = match alias {
        Some(alias) if known.contains(&alias) => return Ok(()),
        None if aliases.iter().any(is_default) => return Ok(()),
        Some(alias) => {
            let suggestion = did_you_mean(alias, known.iter().copied());
            format!("no role alias named {alias:?} is configured{suggestion}")
        }
        None => "no role alias is the default, so the profile must name one".to_owned(),
    };
    let hint = match known.is_empty() {
        true => "no role alias is configured: add a [[role-alias]] to gatepost's configuration first".to_owned(),
        false => format!("the configured role aliases are: {}", known.join(", ")),
    };
    Err(Failure::new(Exit::Unknown, format!("{message}; nothing changed")).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_role_alias_that_the_daemon_has_is_accepted() {
        let two = r#"{"role_aliases":[{"name":"telemetry","default":true},{"name":"video","default":false}],
                      "configuration":{"new_role_aliases":["next"]}}"#;
        let without_default = r#"{"role_aliases":[{"name":"a"},{"name":"b"}]}"#;
        for (document, alias, refusal) in [
            (two, None, None),
            (two, Some("telemetry"), None),
            (two, Some("video"), None),
            (two, Some("next"), None),
            (two, Some("telemtry"), Some("did you mean telemetry?")),
            (two, Some("Video"), Some("did you mean video?")),
            (
                two,
                Some("s3"),
                Some("the configured role aliases are: telemetry, video, next"),
            ),
            (two, Some("x\u{1b}[2J"), Some("are: telemetry, video, next")),
            (without_default, None, Some("no role alias is the default")),
            (without_default, None, Some("are: a, b")),
            (r#"{"role_aliases":[]}"#, Some("a"), Some("add a [[role-alias]]")),
            (r#"{"role_aliases":[]}"#, None, Some("add a [[role-alias]]")),
            (r#"{"state":"attention","exit_code":68}"#, Some("a"), None),
            ("{}", None, None),
        ] {
            let outcome = judge(&Value::parse(document.as_bytes()).unwrap(), alias);
            let text = outcome.map_err(|failure| failure.text());
            match refusal {
                None => assert!(text.is_ok(), "{alias:?}: {text:?}"),
                Some(words) => {
                    let text = text.unwrap_err();
                    assert!(text.contains(words), "{alias:?}: {text}");
                    assert!(text.contains("nothing changed") && !text.contains('\u{1b}'), "{text}");
                }
            }
        }
    }
}
