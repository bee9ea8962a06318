//! Topics of the service.

use super::store::ShadowName;

/// The operation that a message on a topic of the service requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    Update,
    Delete,
}

/// Returns the shadow and the operation of a request's topic (developer guide, reserved-topics).
pub(crate) fn operation(topic: &str) -> Option<(ShadowName, Operation)> {
    let rest = topic.strip_prefix("$aws/things/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    let (thing, name, verb) = match parts.as_slice() {
        [thing, "shadow", verb] => (*thing, None, *verb),
        [thing, "shadow", "name", name, verb] => (*thing, Some(*name), *verb),
        _ => return None,
    };
    let operation = match verb {
        "get" => Operation::Get,
        "update" => Operation::Update,
        "delete" => Operation::Delete,
        _ => return None,
    };
    Some((ShadowName::new(thing, name)?, operation))
}
