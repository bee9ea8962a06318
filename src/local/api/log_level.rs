//! /v1/log-level: returns the log level; root may change it while the daemon runs.

use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use log::{Level, LevelFilter};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::clock::rfc3339;
use crate::event::{Event, journal};
use crate::foreign_text;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response, read_body};

/// Maximum size of the body.
const MAX_BODY: usize = 256;
/// Maximum duration of a temporary log level, in seconds: 31 days. For longer, set GATEPOST_LOG.
const MAX_SECONDS: u64 = 31 * 24 * 3600;
/// The levels that can be set. `off` is missing, because errors must always be logged.
const LEVELS: [(&str, LevelFilter); 5] = [
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
    ("trace", LevelFilter::Trace),
];

/// Request body: the level, and for how many seconds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelRequest {
    level: String,
    seconds: Option<u64>,
}

/// The level as the status shows it.
#[derive(Debug, Serialize)]
pub struct Document {
    level: String,
    /// The level at the daemon's start.
    usual: String,
    /// Return to the usual level, RFC 3339.
    until: Option<String>,
}

/// Returns the present level.
pub fn document(context: &ApiContext) -> Document {
    let level = &context.log_level;
    let until = level.remaining().map(|left| rfc3339(context.clock.wall() + left));
    Document {
        level: word(level.current()),
        usual: word(level.usual()),
        until,
    }
}

/// Responds with the present level.
pub fn get(context: &ApiContext) -> Response {
    http::json(&document(context))
}

/// Sets the level, and responds with it.
pub async fn post(context: &Rc<ApiContext>, caller: &Caller, body: Incoming) -> Result<Response, ApiError> {
    context.authorize_root(caller, "change the log level")?;
    let body = read_body(body, MAX_BODY).await?;
    let (level, duration) = parse(&body).map_err(ApiError::malformed)?;
    let text = match duration {
        Some(duration) => format!("for {} s, by {caller}", duration.as_secs()),
        None => format!("until gatepostd ends, by {caller}"),
    };
    // Logged while the level lets the line through, before or after the change.
    let is_less = level < context.log_level.current();
    let log_change = || journal!(Level::Info, Event::LogLevel; "log level: {} {text}", word(level));
    if is_less {
        log_change();
    }
    let change = context.log_level.set(level, duration);
    if !is_less {
        log_change();
    }
    if let Some(duration) = duration {
        let context = context.clone();
        drop(spawn_local(async move {
            sleep(duration).await;
            if context.log_level.end(change) {
                journal!(Level::Info, Event::LogLevel; "log level: {} again", word(context.log_level.usual()));
            }
        }));
    }
    Ok(get(context))
}

fn parse(body: &[u8]) -> Result<(LevelFilter, Option<Duration>), String> {
    let request: LevelRequest = serde_json::from_slice(body)
        .map_err(|_| "the body is not a JSON object with level, and perhaps seconds".to_owned())?;
    let level = LEVELS.iter().find(|(name, _)| *name == request.level);
    let (_, level) = level.ok_or_else(|| {
        let names = LEVELS.map(|(name, _)| name).join(", ");
        format!(
            "{} is not a log level: there are {names}",
            foreign_text::value(&request.level)
        )
    })?;
    match request.seconds {
        Some(seconds @ (0 | MAX_SECONDS..)) if seconds != MAX_SECONDS => {
            Err(format!("{seconds} s is not between one second and 31 days"))
        }
        seconds => Ok((*level, seconds.map(Duration::from_secs))),
    }
}

fn word(level: LevelFilter) -> String {
    level.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_understood_or_refused() {
        for (body, level, seconds) in [
            (r#"{"level":"debug"}"#, LevelFilter::Debug, None),
            (r#"{"level":"error","seconds":1}"#, LevelFilter::Error, Some(1)),
            (
                r#"{"level":"trace","seconds":2678400}"#,
                LevelFilter::Trace,
                Some(MAX_SECONDS),
            ),
            (r#"{"level":"info","seconds":null}"#, LevelFilter::Info, None),
        ] {
            assert_eq!(
                parse(body.as_bytes()),
                Ok((level, seconds.map(Duration::from_secs))),
                "{body}"
            );
        }
        for (body, text) in [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            (r#"{"level":7}"#, "not a JSON object"),
            (r#"{"seconds":7}"#, "not a JSON object"),
            (r#"{"level":"debug","colour":1}"#, "not a JSON object"),
            (r#"{"level":"debug","seconds":-1}"#, "not a JSON object"),
            (r#"{"level":"off"}"#, "not a log level"),
            (r#"{"level":"DEBUG"}"#, "not a log level"),
            (r#"{"level":""}"#, "not a log level"),
            (r#"{"level":"debug","seconds":0}"#, "not between"),
            (r#"{"level":"debug","seconds":2678401}"#, "not between"),
        ] {
            let error = parse(body.as_bytes()).unwrap_err();
            assert!(error.contains(text), "{body}: {error}");
        }
    }
}
