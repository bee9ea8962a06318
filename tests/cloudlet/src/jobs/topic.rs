//! Topics of the service (developer guide, reserved-topics).

/// The operation that a message requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    GetPending,
    StartNext,
    /// The execution of one job, or the next one for `$next`.
    Describe(String),
    Update(String),
    /// A topic of the service that belongs to no operation.
    Unknown,
}

/// Returns the thing and the operation of a request's topic.
pub(crate) fn operation(topic: &str) -> Option<(String, Operation)> {
    let rest = topic.strip_prefix("$aws/things/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    let (thing, operation) = match parts.as_slice() {
        [thing, "jobs", "get"] => (*thing, Operation::GetPending),
        [thing, "jobs", "start-next"] => (*thing, Operation::StartNext),
        [_, "jobs", "notify" | "notify-next"] => return None,
        [thing, "jobs", job, "get"] => (*thing, Operation::Describe((*job).to_owned())),
        [thing, "jobs", job, "update"] => (*thing, Operation::Update((*job).to_owned())),
        [_, "jobs", .., "accepted" | "rejected"] => return None,
        [thing, "jobs", ..] => (*thing, Operation::Unknown),
        _ => return None,
    };
    Some((thing.to_owned(), operation))
}
