//! Checks of the message store: whether it can be used, and whether a message has been waiting for long.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::lines::MESSAGES;
use super::report::{Outcome, Report};
use crate::clock::{SharedClock, rfc3339};
use crate::config::Config;
use crate::messages;

/// Age above which a waiting message is reported. Pauses between connection attempts are shorter, as is AWS's default session expiry.
const OLD: Duration = Duration::from_secs(3600);

/// Returns the numbers of messages as text, from the daemon's status.
pub fn counts(part: &Value) -> String {
    let count = |name: &str| part.get(name).and_then(Value::as_u64).unwrap_or(0);
    match part.get("opened").and_then(Value::as_bool) {
        Some(false) => "queued: unknown, parked: unknown; the store is not open yet".to_owned(),
        _ => format!("queued: {}, parked: {}", count("queued"), count("parked")),
    }
}

/// Returns when the first message in a page of the outbox was accepted, if that is long ago.
pub fn oldest_waiting_since(page: &Value, clock: &SharedClock) -> Option<SystemTime> {
    let oldest = page.pointer("/messages/0/accepted")?.as_str()?;
    let oldest = humantime::parse_rfc3339(oldest).ok()?;
    let age = clock.wall().duration_since(oldest).ok()?;
    (age > OLD).then_some(oldest)
}

/// Reports a message that has been waiting for long.
pub fn report_waiting(since: SystemTime, counts: &str, report: &mut Report) {
    let message = format!("{counts}\nthe oldest of them was accepted at {}", rfc3339(since));
    let step = "gatepost status, gatepost outbox list";
    report.add(MESSAGES, Outcome::Warn, message, Some(step));
}

/// Checks the database while no daemon is running.
pub fn check_offline(config: &Config, report: &mut Report) {
    match messages::inspect_database(&config.folders.state) {
        Ok(None) => report.ok(MESSAGES, "there are none yet"),
        Ok(Some(counts)) if counts.parked > 0 => {
            let message = format!(
                "queued: {}, parked: {}\nAWS rejected {} of them, which are parked",
                counts.queued, counts.parked, counts.parked
            );
            report.add(MESSAGES, Outcome::Warn, message, Some("gatepost outbox list --parked"));
        }
        Ok(Some(counts)) => report.ok(MESSAGES, format!("queued: {}, parked: 0", counts.queued)),
        Err(problem) => report.failed(MESSAGES, &problem),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::manual::ManualClock;

    #[test]
    fn a_message_that_has_waited_for_an_hour_is_reported() {
        let page = |accepted: &str| json!({ "messages": [{ "accepted": accepted }, { "accepted": "later" }] });
        // 2027-01-15T08:00:00Z
        let clock: SharedClock = ManualClock::at(1_800_000_000);
        for (page, is_reported) in [
            (page("2027-01-15T07:30:00.000Z"), false),
            (page("garbage"), false),
            (json!({ "code": "not_allowed" }), false),
            (page("2027-01-16T07:30:00.000Z"), false),
            (page("2027-01-15T06:30:00.000Z"), true),
        ] {
            assert_eq!(oldest_waiting_since(&page, &clock).is_some(), is_reported, "{page}");
        }
        for (part, words) in [
            (json!({ "opened": false, "queued": 0 }), "queued: unknown"),
            (
                json!({ "opened": true, "queued": 0, "parked": 3 }),
                "queued: 0, parked: 3",
            ),
            (json!({}), "queued: 0, parked: 0"),
        ] {
            assert!(counts(&part).starts_with(words), "{part}");
        }
    }
}
