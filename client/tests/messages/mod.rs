//! The commands about messages, against a scripted daemon.

mod outbox;
mod publish;
mod subscribe;

use crate::support::http;

/// The daemon's good answer.
fn ok() -> String {
    http("200 OK", r#"{"message":"OK","id":1}"#)
}

/// A refusal of the daemon's.
fn refusal(status: &str) -> String {
    http(
        status,
        r#"{"code":"some-code","message":"the reason","hint":"the hint"}"#,
    )
}
