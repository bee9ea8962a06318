//! The commands about messages, against a scripted daemon.

mod outbox;
mod publish;
mod subscribe;

use crate::support::http;

/// Returns a successful response of the daemon.
fn ok() -> String {
    http("200 OK", r#"{"message":"OK","id":1}"#)
}

/// Returns an error response of the daemon.
fn refusal(status: &str) -> String {
    http(
        status,
        r#"{"code":"some-code","message":"the reason","hint":"the hint"}"#,
    )
}
