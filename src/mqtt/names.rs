//! Topic names and topic filters according to the protocol (MQTT 5.0, 4.7 and 4.8).
//!
//! The limits of AWS IoT are narrower and are checked where messages are forwarded to it: see [`crate::topic`].

use super::{ProtocolError, ProtocolVersion, ReasonCode};

/// Prefix of a shared subscription.
const SHARE: &str = "$share/";

/// Checks that a topic name contains no wildcard. The caller handles an empty name, because a topic alias may stand for it.
pub(super) fn check_no_wildcard(name: &str) -> Result<(), ProtocolError> {
    match name.contains(['+', '#']) {
        true => Err(invalid_name("MQTT-3.3.2-2", "a topic with a wildcard")),
        false => Ok(()),
    }
}

/// Checks a topic name that must not be empty.
pub(super) fn check_name(name: &str) -> Result<(), ProtocolError> {
    check_no_wildcard(name)?;
    match name.is_empty() {
        true => Err(invalid_name("MQTT-4.7.3-1", "an empty topic")),
        false => Ok(()),
    }
}

/// Checks a topic filter, with or without a share name.
pub(super) fn check_filter(filter: &str, version: ProtocolVersion) -> Result<(), ProtocolError> {
    let levels = match filter.strip_prefix(SHARE) {
        // MQTT 3.1.1 has no shared subscriptions, but AWS IoT treats the name as one in both versions, and so do we.
        Some(shared) => check_share_name(shared)?,
        None => filter,
    };
    if levels.is_empty() {
        return Err(invalid_filter("MQTT-4.7.3-1", "an empty topic filter"));
    }
    let mut rest = levels.split('/').peekable();
    while let Some(level) = rest.next() {
        if level.contains('#') && (level != "#" || rest.peek().is_some()) {
            let statement = version.cite("MQTT-4.7.1-1", "MQTT-4.7.1-2");
            return Err(invalid_filter(statement, "a topic filter with # before its end"));
        }
        if level.contains('+') && level != "+" {
            let statement = version.cite("MQTT-4.7.1-2", "MQTT-4.7.1-3");
            return Err(invalid_filter(
                statement,
                "a topic filter with + beside other characters",
            ));
        }
    }
    Ok(())
}

/// Returns whether a topic filter is a shared subscription.
pub(super) fn is_shared(filter: &str) -> bool {
    filter.starts_with(SHARE)
}

/// Checks the name of a shared subscription; returns the filter after it.
fn check_share_name(shared: &str) -> Result<&str, ProtocolError> {
    let (name, filter) = shared.split_once('/').unwrap_or((shared, ""));
    match name.is_empty() || name.contains(['+', '#']) || filter.is_empty() {
        true if name.is_empty() => Err(invalid_filter("MQTT-4.8.2-1", "a shared subscription without a name")),
        true => Err(invalid_filter(
            "MQTT-4.8.2-2",
            "a shared subscription whose name is not followed by a filter, or has a wildcard",
        )),
        false => Ok(filter),
    }
}

const fn invalid_name(statement: &'static str, what: &'static str) -> ProtocolError {
    ProtocolError::with_code(ReasonCode::TOPIC_NAME_INVALID, statement, what)
}

const fn invalid_filter(statement: &'static str, what: &'static str) -> ProtocolError {
    ProtocolError::with_code(ReasonCode::TOPIC_FILTER_INVALID, statement, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked_level_by_level() {
        let check = |filter: &str| check_filter(filter, ProtocolVersion::V5).map_err(|error| error.statement);
        for filter in [
            "a",
            "/",
            "a/b",
            "+",
            "#",
            "+/+/#",
            "/#",
            "a//b",
            "$aws/#",
            "$share/g/a",
            "$share/g/#",
            "$sharex",
        ] {
            assert_eq!(check(filter), Ok(()), "{filter}");
        }
        for (filter, statement) in [
            ("", "MQTT-4.7.3-1"),
            ("a/#/b", "MQTT-4.7.1-1"),
            ("a#", "MQTT-4.7.1-1"),
            ("##", "MQTT-4.7.1-1"),
            ("#/", "MQTT-4.7.1-1"),
            ("a+", "MQTT-4.7.1-2"),
            ("a/b+/c", "MQTT-4.7.1-2"),
            ("++", "MQTT-4.7.1-2"),
            ("$share/", "MQTT-4.8.2-1"),
            ("$share//a", "MQTT-4.8.2-1"),
            ("$share/g", "MQTT-4.8.2-2"),
            ("$share/g/", "MQTT-4.8.2-2"),
            ("$share/+/a", "MQTT-4.8.2-2"),
            ("$share/g#/a", "MQTT-4.8.2-2"),
            ("$share/g/a#", "MQTT-4.7.1-1"),
        ] {
            assert_eq!(check(filter), Err(statement), "{filter}");
        }
    }

    #[test]
    fn names_have_no_wildcard_and_are_not_empty() {
        assert!(check_name("a/b").is_ok() && check_name("/").is_ok() && check_name("$aws/x").is_ok());
        for name in ["", "+", "a/#", "a+b"] {
            assert_eq!(
                check_name(name).map_err(|error| error.code),
                Err(ReasonCode::TOPIC_NAME_INVALID)
            );
        }
    }
}
