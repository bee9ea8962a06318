//! The messages of local programs: whether they can be kept, and whether some wait for somebody.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::report::{Outcome, Report};
use crate::clock::{SharedClock, rfc3339};
use crate::config::Config;
use crate::messages;

/// The line's name.
pub const NAME: &str = "messages";
/// Longer than any pause between two connections, and than AWS keeps a session unless told otherwise.
const OLD: Duration = Duration::from_secs(3600);

/// What there is, with or without the daemon.
#[derive(Debug, Default)]
pub struct Found {
    /// Whether no number is known, because the daemon has not opened its store yet.
    pub is_unknown: bool,
    /// Messages that wait to be sent.
    pub queued: u64,
    /// Messages that AWS did not take.
    pub parked: u64,
    /// When the first of those that wait was accepted, where that is known.
    pub oldest: Option<SystemTime>,
    /// Where a database that was broken is now.
    pub set_aside: Option<String>,
}

impl Found {
    /// By the daemon's status, and a page of its outbox if this user may see it.
    pub fn by_daemon(part: &Value, page: Option<&Value>) -> Self {
        let count = |name: &str| part.get(name).and_then(Value::as_u64).unwrap_or(0);
        let oldest = page.and_then(|page| page.pointer("/messages/0/accepted")?.as_str());
        Self {
            is_unknown: part.get("opened").and_then(Value::as_bool) == Some(false),
            queued: count("queued"),
            parked: count("parked"),
            oldest: oldest.and_then(|time| humantime::parse_rfc3339(time).ok()),
            set_aside: part.get("set_aside").and_then(Value::as_str).map(str::to_owned),
        }
    }

    /// The line.
    pub fn tell(&self, clock: &SharedClock, report: &mut Report) {
        let Self { queued, parked, .. } = self;
        let now = clock.wall();
        let age = self.oldest.and_then(|oldest| now.duration_since(oldest).ok());
        let old = self.oldest.filter(|_| age.is_some_and(|age| age > OLD));
        let aside = self.set_aside.as_deref();
        let mut notes: Vec<(String, &str)> = Vec::new();
        if *parked > 0 {
            let words = format!("AWS did not take {parked} of them, which are kept aside");
            notes.push((words, "gatepost outbox list --parked"));
        }
        if let Some(path) = aside {
            let words = format!("the database was broken; what had not been sent is in {path}");
            notes.push((words, "look at the disk of the state folder: dmesg"));
        }
        if let Some(oldest) = old {
            let words = format!("the first of those that wait was accepted at {}", rfc3339(oldest));
            notes.push((words, "gatepost status, gatepost outbox list"));
        }
        let mut text = match self.is_unknown {
            true => "queued: unknown, parked: unknown; the store is not open yet".to_owned(),
            false => format!("queued: {queued}, parked: {parked}"),
        };
        for (words, _) in &notes {
            text.push('\n');
            text.push_str(words);
        }
        match notes.first() {
            None => report.ok(NAME, text),
            Some((_, step)) => report.add(NAME, Outcome::Warn, text, Some(step)),
        }
    }
}

/// While no daemon runs: its database, as it would find it.
pub fn check_alone(config: &Config, clock: &SharedClock, report: &mut Report) {
    match messages::look(&config.folders.state) {
        Ok(None) => report.ok(NAME, "there are none yet"),
        Ok(Some(glance)) => {
            let found = Found {
                queued: glance.queued,
                parked: glance.parked,
                ..Found::default()
            };
            found.tell(clock, report);
        }
        Err(problem) => report.failed(NAME, &problem),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::manual::ManualClock;

    #[test]
    fn what_waits_for_somebody_is_a_warning() {
        let part = |parked: u64, aside: Option<&str>| json!({ "queued": 2, "parked": parked, "set_aside": aside });
        let page = |accepted: &str| json!({ "messages": [{ "accepted": accepted }, { "accepted": "later" }] });
        // 2027-01-15T08:00:00Z
        let clock: SharedClock = ManualClock::at(1_800_000_000);
        let cases = [
            (part(0, None), None, "ok", ""),
            (part(0, None), Some(page("2027-01-15T07:30:00.000Z")), "ok", ""),
            (part(0, None), Some(page("garbage")), "ok", ""),
            (part(0, None), Some(json!({ "code": "not_allowed" })), "ok", ""),
            (part(0, None), Some(page("2027-01-16T07:30:00.000Z")), "ok", ""),
            (
                part(0, None),
                Some(page("2027-01-15T06:30:00.000Z")),
                "warn",
                "was accepted at 2027-01-15T06:30:00",
            ),
            (part(3, None), None, "warn", "AWS did not take 3 of them"),
            (json!({ "opened": false, "queued": 0 }), None, "ok", "queued: unknown"),
            (json!({ "opened": true, "queued": 0 }), None, "ok", "queued: 0"),
            (part(0, Some("/old")), None, "warn", "is in /old"),
        ];
        for (part, page, outcome, words) in cases {
            let mut report = Report::default();
            Found::by_daemon(&part, page.as_ref()).tell(&clock, &mut report);
            let text = report.text();
            assert!(
                text.starts_with(outcome) && text.contains(words),
                "{part} {page:?}: {text}"
            );
            assert_eq!(text.contains("next: "), outcome == "warn", "{text}");
        }
    }
}
