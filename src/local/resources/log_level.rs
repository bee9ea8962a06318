//! /v1/log-level: how much is logged; root may change it while the daemon runs.

use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use log::{Level, LevelFilter};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::super::answer::{self, Answer, ApiError};
use super::super::body;
use super::super::caller::Caller;
use super::super::view::ApiContext;
use crate::clock::rfc3339;
use crate::event::{Event, journal};
use crate::foreign_text;

/// A level and a number.
const MAX_BODY: usize = 256;
/// Maximum duration of a temporary log level, in seconds: 31 days. For longer, GATEPOST_LOG is set.
const LONGEST: u64 = 31 * 24 * 3600;
/// The levels that can be set. Without errors nobody would learn of a fault.
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
struct Wanted {
    level: String,
    seconds: Option<u64>,
}

/// The level as the status shows it.
#[derive(Debug, Serialize)]
pub struct Document {
    level: String,
    /// The level that the daemon was started with.
    usual: String,
    /// When the usual level comes back, RFC 3339.
    until: Option<String>,
}

/// The level of this moment.
pub fn document(shared: &ApiContext) -> Document {
    let level = &shared.log_level;
    let until = level.remaining().map(|left| rfc3339(shared.clock.wall() + left));
    Document {
        level: word(level.current()),
        usual: word(level.usual()),
        until,
    }
}

/// The answer.
pub fn get(shared: &ApiContext) -> Result<Answer, ApiError> {
    answer::json(&document(shared))
}

/// Sets the level, and says what it is now.
pub async fn post(shared: &Rc<ApiContext>, caller: &Caller, body: Incoming) -> Result<Answer, ApiError> {
    shared.authorize_root(caller, "change the log level")?;
    let body = body::read(body, MAX_BODY).await?;
    let (level, lasting) = parse(&body).map_err(ApiError::malformed)?;
    let text = match lasting {
        Some(lasting) => format!("for {} s, by {caller}", lasting.as_secs()),
        None => format!("until gatepostd ends, by {caller}"),
    };
    // Said while the line is let through, before or after.
    let is_less = level < shared.log_level.current();
    let say = || journal!(Level::Info, Event::LogLevel; "log level: {} {text}", word(level));
    if is_less {
        say();
    }
    let change = shared.log_level.set(level, lasting);
    if !is_less {
        say();
    }
    if let Some(lasting) = lasting {
        let shared = shared.clone();
        drop(spawn_local(async move {
            sleep(lasting).await;
            if shared.log_level.end(change) {
                journal!(Level::Info, Event::LogLevel; "log level: {} again", word(shared.log_level.usual()));
            }
        }));
    }
    get(shared)
}

fn parse(body: &[u8]) -> Result<(LevelFilter, Option<Duration>), String> {
    let wanted: Wanted = serde_json::from_slice(body)
        .map_err(|_| "the body is no JSON object with level, and perhaps seconds".to_owned())?;
    let level = LEVELS.iter().find(|(name, _)| *name == wanted.level);
    let (_, level) = level.ok_or_else(|| {
        let names = LEVELS.map(|(name, _)| name).join(", ");
        format!(
            "{} is no log level: there are {names}",
            foreign_text::value(&wanted.level)
        )
    })?;
    match wanted.seconds {
        Some(seconds @ (0 | LONGEST..)) if seconds != LONGEST => {
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
                Some(LONGEST),
            ),
            (r#"{"level":"info","seconds":null}"#, LevelFilter::Info, None),
        ] {
            assert_eq!(
                parse(body.as_bytes()),
                Ok((level, seconds.map(Duration::from_secs))),
                "{body}"
            );
        }
        for (body, says) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            (r#"{"level":7}"#, "no JSON object"),
            (r#"{"seconds":7}"#, "no JSON object"),
            (r#"{"level":"debug","colour":1}"#, "no JSON object"),
            (r#"{"level":"debug","seconds":-1}"#, "no JSON object"),
            (r#"{"level":"off"}"#, "no log level"),
            (r#"{"level":"DEBUG"}"#, "no log level"),
            (r#"{"level":""}"#, "no log level"),
            (r#"{"level":"debug","seconds":0}"#, "not between"),
            (r#"{"level":"debug","seconds":2678401}"#, "not between"),
        ] {
            let refused = parse(body.as_bytes()).unwrap_err();
            assert!(refused.contains(says), "{body}: {refused}");
        }
    }
}
