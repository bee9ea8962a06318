//! Commands that have verbs of their own; without one, they list.

use std::ffi::OsString;

use super::options::Sorted;
use super::{needed, usage};
use crate::exit::Failure;

/// What is wanted of the durable subscriptions.
pub(super) fn subscriptions(
    words: &mut impl Iterator<Item = OsString>,
    sorted: &Sorted,
) -> Result<crate::subscriptions::Wish, Failure> {
    use crate::subscriptions::Wish;
    let verb = words.next().unwrap_or_else(|| "list".into());
    let json = sorted.flag("--json");
    let mut name = || needed(words.next(), "the subscription's name");
    match verb.to_str() {
        Some("list") => Ok(Wish::List { json }),
        Some("delete" | "ack") if json => Err(usage("--json belongs to subscriptions list")),
        Some("delete") => Ok(Wish::Delete { name: name()? }),
        Some("ack") => Ok(Wish::Acknowledge {
            name: name()?,
            id: needed(words.next(), "the message's id")?,
        }),
        _ => Err(usage(format!(
            "subscriptions: there are list, delete and ack, not {verb:?}"
        ))),
    }
}

/// What is wanted of the outbox.
pub(super) fn outbox(
    words: &mut impl Iterator<Item = OsString>,
    sorted: &Sorted,
) -> Result<crate::outbox::Wish, Failure> {
    use crate::outbox::Wish;
    let verb = words.next().unwrap_or_else(|| "list".into());
    let (json, parked) = (sorted.flag("--json"), sorted.flag("--parked"));
    let verb = verb.to_str();
    if parked && verb != Some("list") {
        return Err(usage("--parked belongs to outbox list"));
    }
    if json && !matches!(verb, Some("list" | "show")) {
        return Err(usage("--json belongs to outbox list and outbox show"));
    }
    let mut which = |what| needed(words.next(), what);
    match verb {
        Some("list") => Ok(Wish::List { parked, json }),
        Some("show") => Ok(Wish::Show {
            id: which("the message's number")?,
            json,
        }),
        Some("purge") => Ok(Wish::Purge {
            which: which("what to delete (a message's number, queued or parked)")?,
        }),
        Some("retry") => match which("what to send again (a message's number or parked)")? {
            queued if queued == "queued" => Err(usage("queued messages are sent anyway")),
            which => Ok(Wish::Retry { which }),
        },
        _ => Err(usage("outbox: there are list, show, purge and retry")),
    }
}
