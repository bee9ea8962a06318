//! Checks `[mqtt]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Mqtt;
use super::findings::Findings;
use super::known_keys::find_range;
use super::raw::RawMqtt;
use super::values::{check_range, parse_duration, parse_presence_topic};
use crate::foreign_text;
use crate::messages::{Bounds, WhenFull};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// AWS IoT's bounds for the keep-alive (Quotas, "Keep-alive interval": 30 to 1200 s).
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1200));
/// AWS IoT keeps a session for at most 7 days.
const SESSION_EXPIRY: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(7 * 24 * 3600));
/// Each report is a message that AWS charges for, and nobody reads them more often than this.
const REPORT_INTERVAL: (Duration, Duration) = (Duration::from_secs(30), DAY);
/// AWS IoT accepts 100 messages a second per connection. Other brokers may accept more.
const PUBLISH_RATE: RangeInclusive<u64> = 1..=10_000;
/// The minimum holds one large message, and the maximum is a large database for an SD card.
const MAX_BYTES: RangeInclusive<u64> = 256 * 1024..=64 * 1024 * 1024 * 1024;
const MAX_MESSAGES: RangeInclusive<u64> = 1..=100_000_000;
const MAX_AGE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10 * 365 * 24 * 3600));

/// Checks `[mqtt]`.
pub(super) fn check_mqtt(raw: RawMqtt, findings: &mut Findings) -> Option<Mqtt> {
    let keep_alive = check_duration(findings, "keep-alive", raw.keep_alive.as_deref(), "60s", KEEP_ALIVE);
    let session_expiry = check_duration(
        findings,
        "session-expiry",
        raw.session_expiry.as_deref(),
        "7days",
        SESSION_EXPIRY,
    );
    let topic = raw
        .presence_topic
        .clone()
        .unwrap_or_else(|| "{thing}/gatepost/status".to_owned());
    let presence_topic = findings.check("mqtt.presence-topic", parse_presence_topic(topic));
    let report_interval = match raw.report_interval.as_deref() {
        Some("off") => Some(None),
        text => check_duration(findings, "report-interval", text, "5min", REPORT_INTERVAL).map(Some),
    };
    let publish_rate = check_count(
        findings,
        "publish-rate",
        raw.publish_rate.map(u64::from),
        100,
        PUBLISH_RATE,
    );
    let bounds = check_bounds(&raw, findings);
    Some(Mqtt {
        keep_alive: keep_alive?,
        session_expiry: session_expiry?,
        presence_topic: presence_topic?,
        report_interval: report_interval?,
        publish_rate: u32::try_from(publish_rate?).ok()?,
        bounds: bounds?,
    })
}

/// Checks the limits of the outbox and of durable subscriptions. All are checked before the first fault ends the check.
fn check_bounds(raw: &RawMqtt, findings: &mut Findings) -> Option<Bounds> {
    let default = Bounds::default();
    let mut count = |key, value, default, range| check_count(findings, key, value, default, range);
    let max_bytes = count("outbox-max-bytes", raw.outbox_max_bytes, default.max_bytes, MAX_BYTES);
    let max_messages = count(
        "outbox-max-messages",
        raw.outbox_max_messages,
        default.max_messages,
        MAX_MESSAGES,
    );
    let inbox_max_bytes = count(
        "inbox-max-bytes",
        raw.inbox_max_bytes,
        default.inbox_max_bytes,
        MAX_BYTES,
    );
    let inbox_max_messages = count(
        "inbox-max-messages",
        raw.inbox_max_messages,
        default.inbox_max_messages,
        MAX_MESSAGES,
    );
    let max_age = check_duration(
        findings,
        "outbox-max-age",
        raw.outbox_max_age.as_deref(),
        "14days",
        MAX_AGE,
    );
    let when_full = findings.check(
        "mqtt.outbox-when-full",
        parse_when_full(raw.outbox_when_full.as_deref()),
    );
    Some(Bounds {
        max_bytes: max_bytes?,
        max_messages: max_messages?,
        max_age: max_age?,
        when_full: when_full?,
        inbox_max_bytes: inbox_max_bytes?,
        inbox_max_messages: inbox_max_messages?,
    })
}

fn parse_when_full(text: Option<&str>) -> Result<WhenFull, String> {
    match text {
        None | Some("refuse") => Ok(WhenFull::Refuse),
        Some("drop-oldest") => Ok(WhenFull::DropOldest),
        Some(other) => Err(format!(
            "{} is neither \"refuse\" nor \"drop-oldest\"",
            foreign_text::value(other)
        )),
    }
}

/// Checks a duration, or takes the default.
fn check_duration(
    findings: &mut Findings,
    key: &str,
    text: Option<&str>,
    default: &str,
    range: (Duration, Duration),
) -> Option<Duration> {
    findings.check(
        &format!("mqtt.{key}"),
        parse_duration(text.unwrap_or(default), range.0, range.1),
    )
}

/// Checks a number, or takes the default.
fn check_count(
    findings: &mut Findings,
    key: &str,
    value: Option<u64>,
    default: u64,
    range: RangeInclusive<u64>,
) -> Option<u64> {
    let checked = check_range(value.unwrap_or(default), range);
    let checked =
        checked.map_err(|why| find_range(key).map_or(why.clone(), |range| format!("{why}; it takes {range}")));
    findings.check(&format!("mqtt.{key}"), checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advised_ranges_are_the_checked_ranges() {
        for (key, range) in [
            ("publish-rate", PUBLISH_RATE),
            ("outbox-max-bytes", MAX_BYTES),
            ("inbox-max-bytes", MAX_BYTES),
            ("outbox-max-messages", MAX_MESSAGES),
            ("inbox-max-messages", MAX_MESSAGES),
        ] {
            let advised = find_range(key).unwrap();
            let words: Vec<&str> = advised.split([' ', ':']).collect();
            for bound in [range.start(), range.end()] {
                assert!(words.contains(&bound.to_string().as_str()), "{key}: {advised}");
            }
        }
    }
}
