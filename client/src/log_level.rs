//! `gatepost log-level`: the level at which the running daemon logs.

use std::path::Path;

use crate::command_line::Matches;
use crate::daemon::{self, QUICK};
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::json::Value;
use crate::output;
use crate::printable::printable;
use crate::words::{seconds, text};

/// Shows or changes the level.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let lasting = matches.value("--for").map(|word| seconds("--for", word)).transpose()?;
    let request = match (matches.operand(0), lasting) {
        (None, None) => Request::get("/v1/log-level"),
        (None, Some(_)) => return Err(matches.usage_error("--for needs a level")),
        (Some(level), lasting) => {
            let mut members = vec![("level".to_owned(), Value::String(text(level)?.to_owned()))];
            members.extend(lasting.map(|seconds| ("seconds".to_owned(), Value::Number(seconds.to_string()))));
            Request::post_json("/v1/log-level", &Value::Object(members).json())
        }
    };
    let document = daemon::ask_document(socket, request, QUICK)?;
    output::print(format!("{}\n", printable(&sentence(&document))).as_bytes())
}

fn sentence(document: &Value) -> String {
    let word = |name| document.get(name).text().unwrap_or("unknown");
    let (level, usual) = (word("level"), word("usual"));
    match document.get("until").text() {
        Some(until) => format!("log level: {level} until {until}, then {usual}"),
        None if level == usual => format!("log level: {level}"),
        None => format!("log level: {level} until gatepostd ends, then {usual}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_and_its_end_are_one_sentence() {
        for (document, said) in [
            (r#"{"level":"info","usual":"info","until":null}"#, "log level: info"),
            (
                r#"{"level":"debug","usual":"info","until":null}"#,
                "log level: debug until gatepostd ends, then info",
            ),
            (
                r#"{"level":"debug","usual":"info","until":"2026-11-30T10:00:00Z"}"#,
                "log level: debug until 2026-11-30T10:00:00Z, then info",
            ),
            ("{}", "log level: unknown"),
        ] {
            let document = Value::parse(document.as_bytes()).unwrap_or(Value::Null);
            assert_eq!(sentence(&document), said);
        }
    }
}
