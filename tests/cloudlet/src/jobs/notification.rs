//! Notifications about a device's executions (developer guide, jobs-comm-notifications).

use serde_json::{Value, json};

use super::execution::{Execution, Status};
use super::queue::Queue;
use crate::json::set;

/// Maximum number of executions in a list.
const MAX_LISTED: usize = 15;

/// A message to the subscribers of `notify` or `notify-next`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notification {
    pub(super) topic: String,
    pub(super) payload: Value,
}

/// The first pending execution, reduced to what decides whether `notify-next` is due.
pub(super) type Next = Option<(String, u64, Status)>;

pub(super) fn next_of(queue: &Queue) -> Next {
    queue
        .pending()
        .first()
        .map(|next| (next.job.clone(), next.number, next.status))
}

/// Returns the notifications after a change; `before` is the first pending execution before it.
pub(super) fn notifications(thing: &str, queue: &Queue, before: &Next) -> Vec<Notification> {
    let now = crate::json::unix_seconds();
    let pending = queue.pending();
    let listed = |status| -> Vec<Value> {
        let of_status = pending
            .iter()
            .take(MAX_LISTED)
            .filter(|execution| execution.status == status);
        of_status.map(|execution| execution.summary()).collect()
    };
    let mut jobs = serde_json::Map::new();
    for status in [Status::InProgress, Status::Queued] {
        let listed = listed(status);
        if !listed.is_empty() {
            jobs.insert(status.name().to_owned(), listed.into());
        }
    }
    let mut notifications = vec![Notification {
        topic: format!("$aws/things/{thing}/jobs/notify"),
        payload: json!({ "timestamp": now, "jobs": jobs }),
    }];
    let is_another = |next: &Next| match (next, before) {
        (Some((job, number, _)), Some((known, known_number, _))) => job != known || number != known_number,
        (next, before) => next.is_some() != before.is_some(),
    };
    if is_another(&next_of(queue)) {
        let next: Option<&&Execution> = pending.first();
        let mut payload = json!({ "timestamp": now });
        if let Some(next) = next {
            set(&mut payload, "execution", next.json(thing, true));
        }
        notifications.push(Notification {
            topic: format!("$aws/things/{thing}/jobs/notify-next"),
            payload,
        });
    }
    notifications
}
