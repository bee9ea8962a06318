//! MQTT topics and topic filters: AWS IoT's limits, matching, and covering.

/// Largest size of a topic in bytes of UTF-8 (AWS IoT).
pub const MAX_BYTES: usize = 256;
/// Largest number of slashes in a topic (AWS IoT).
pub const MAX_SLASHES: usize = 7;
/// Placeholder for the thing name in topics and filters.
pub const THING: &str = "{thing}";

/// Checks a topic to publish to, after its placeholders are filled in.
///
/// # Errors
/// If AWS would refuse the topic.
pub fn check_publish(topic: &str) -> Result<(), String> {
    check_size(topic, "topic")?;
    match topic.contains(['+', '#']) {
        true => Err("the topic has a wildcard".to_owned()),
        false => Ok(()),
    }
}

/// Checks a filter to subscribe to, after its placeholders are filled in.
///
/// # Errors
/// If AWS would refuse the filter, or if it is a shared subscription: these divide messages among clients, and this gateway
/// is one client.
pub fn check_filter(filter: &str) -> Result<(), String> {
    check_size(filter, "topic filter")?;
    if filter.starts_with("$share/") {
        return Err("the topic filter is a shared subscription, which gatepost does not support".to_owned());
    }
    let levels = filter.split('/').count();
    let misplaced = filter.split('/').enumerate().find(|(index, level)| {
        let hash = level.contains('#') && (*level != "#" || index + 1 != levels);
        hash || (level.contains('+') && *level != "+")
    });
    match misplaced {
        Some((_, level)) => Err(format!(
            "the topic filter has a wildcard where none may be, in {}: + is a whole level, # is the last one",
            crate::foreign_text::value(level)
        )),
        None => Ok(()),
    }
}

/// Returns whether `topic` is reserved for gatepost itself. Presence and health of `thing` are below `{thing}/gatepost/`, and no program
/// may forge them. `presence` is the topic that the configuration sets for presence.
pub fn is_reserved(topic: &str, thing: &str, presence: Option<&str>) -> bool {
    let own = topic
        .strip_prefix(thing)
        .and_then(|rest| rest.strip_prefix("/gatepost"))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    own || presence.is_some_and(|presence| presence.replace(THING, thing) == topic)
}

fn check_size(topic: &str, what: &str) -> Result<(), String> {
    let slashes = topic.bytes().filter(|byte| *byte == b'/').count();
    let reason = if topic.is_empty() {
        "is empty".to_owned()
    } else if topic.len() > MAX_BYTES {
        format!("has {} bytes, AWS IoT allows at most {MAX_BYTES}", topic.len())
    } else if slashes > MAX_SLASHES {
        format!("has {slashes} slashes, AWS IoT allows at most {MAX_SLASHES}")
    } else if let Some(character) = not_allowed(topic) {
        format!("has the character {character}")
    } else {
        return Ok(());
    };
    Err(format!("the {what} {reason}"))
}

/// Finds the first character for which a broker may close the connection: NUL, control characters and Unicode non-characters
/// (MQTT 5.0, 1.5.4). Formats it as `U+0001`.
pub fn not_allowed(text: &str) -> Option<String> {
    let character = text.chars().find(|character| {
        let code = u32::from(*character);
        character.is_control() || matches!(code, 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe
    });
    character.map(|character| format!("U+{:04X}", u32::from(character)))
}

/// Returns whether `filter` matches `topic` (MQTT 5.0, 4.7).
pub fn matches(filter: &str, topic: &str) -> bool {
    covers(filter, topic)
}

/// Returns whether `outer` matches every topic that `inner` matches. A topic is a filter that matches itself.
pub fn covers(outer: &str, inner: &str) -> bool {
    // MQTT 5.0, 4.7.2: a wildcard at the beginning does not match topics that begin with $.
    if inner.starts_with('$') && outer.starts_with(['+', '#']) {
        return false;
    }
    let mut inner = inner.split('/');
    let mut outer = outer.split('/');
    loop {
        match (outer.next(), inner.next()) {
            // AWS IoT differs from the standard: `a/#` does not match `a` (developer guide, mqtt).
            (Some("#"), Some(_)) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Returns whether a topic exists that both filters match.
pub fn overlaps(one: &str, other: &str) -> bool {
    let is_system = |filter: &str| filter.starts_with('$');
    let begins_with_wildcard = |filter: &str| filter.starts_with(['+', '#']);
    if (is_system(one) && begins_with_wildcard(other)) || (is_system(other) && begins_with_wildcard(one)) {
        return false;
    }
    let mut one = one.split('/');
    let mut other = other.split('/');
    loop {
        match (one.next(), other.next()) {
            (Some("#"), Some(_)) | (Some(_), Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(level), Some(same)) if level == same => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn topics_at_and_over_the_limits() {
        let longest = "t".repeat(MAX_BYTES);
        let cases = [
            ("gw-1/gatepost/status", true, true),
            ("a/b/c/d/e/f/g/h", true, true),
            (longest.as_str(), true, true),
            ("", false, false),
            ("a/b/c/d/e/f/g/h/i", false, false),
            ("a/+/b", false, true),
            ("+", false, true),
            ("a/#", false, true),
            ("#", false, true),
            ("a/#/b", false, false),
            ("a/b#", false, false),
            ("a/b+/c", false, false),
            ("a\0b", false, false),
            ("a\nb", false, false),
            ("a\u{7f}b", false, false),
            ("a\u{85}b", false, false),
            ("a\u{fdd0}b", false, false),
            ("a\u{1ffff}b", false, false),
            ("ä \u{fffd}", true, true),
            ("/", true, true),
            ("$share/group/a", true, false),
        ];
        for (topic, publish, subscribe) in cases {
            assert_eq!(check_publish(topic).is_ok(), publish, "{topic:?}");
            assert_eq!(check_filter(topic).is_ok(), subscribe, "{topic:?}");
        }
        let too_long = "t".repeat(MAX_BYTES + 1);
        assert!(check_publish(&too_long).is_err() && check_filter(&too_long).is_err());
    }

    #[test]
    fn topics_below_the_things_gatepost_are_reserved() {
        for (topic, presence, reserved) in [
            ("gw-1/gatepost/status", None, true),
            ("gw-1/gatepost/status", Some("{thing}/gatepost/status"), true),
            ("gw-1/gatepost", None, true),
            ("gw-1/gatepost/", None, true),
            ("gw-1/gatepost/a/b/c", None, true),
            ("gw-1/gatepost//status", None, true),
            ("gw-1/gateposts", None, false),
            ("gw-1/gatepost2/status", None, false),
            ("gw-1/Gatepost/status", None, false),
            ("gw-1//gatepost/status", None, false),
            ("gw-1/a/gatepost/status", None, false),
            ("/gw-1/gatepost/status", None, false),
            ("gw-10/gatepost/status", None, false),
            ("gw-2/gatepost/status", None, false),
            ("gatepost/status", None, false),
            ("presence/gw-1", Some("presence/{thing}"), true),
            ("presence/gw-1/x", Some("presence/{thing}"), false),
            ("presence/gw-2", Some("presence/{thing}"), false),
            ("presence/gw-1", None, false),
            ("gw-1/gatepost/status", Some("presence/{thing}"), true),
        ] {
            assert_eq!(is_reserved(topic, "gw-1", presence), reserved, "{topic} {presence:?}");
        }
    }

    #[test]
    fn covers_follows_the_matching_rules() {
        for (outer, inner, yes) in [
            ("a/b", "a/b", true),
            ("a/b", "a/c", false),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a/", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("a/+/c", "a/b/c", true),
            ("a/#", "a/b/c", true),
            ("a/#", "a", false),
            ("#", "a/b", true),
            ("#", "$aws/things/x", false),
            ("+/things/x", "$aws/things/x", false),
            ("$aws/#", "$aws/things/x", true),
            ("a/#", "a/+", true),
            ("a/#", "a/+/#", true),
            ("a/+", "a/#", false),
            ("a/+", "a/+", true),
            ("a/b", "a/+", false),
            ("a/#", "#", false),
            ("#", "#", true),
            ("+", "#", false),
            ("gw-1/camera/#", "gw-10/camera/x", false),
        ] {
            assert_eq!(covers(outer, inner), yes, "{outer} covers {inner}");
        }
    }

    #[test]
    fn filters_overlap_where_a_topic_matches_both() {
        for (one, other, yes) in [
            ("a/b", "a/b", true),
            ("a/b", "a/c", false),
            ("a/b", "a", false),
            ("a/+", "+/b", true),
            ("a/+", "b/+", false),
            ("a/+", "a/b/c", false),
            ("+/+", "a/#", true),
            ("+", "a/#", false),
            ("+/b", "a/#", true),
            ("a/#", "a/b/#", true),
            ("a/b/#", "a/+", false),
            ("a/#", "a", false),
            ("#", "a", true),
            ("#", "#", true),
            ("#", "$aws/things/x", false),
            ("+/things/#", "$aws/+/x", false),
            ("$aws/#", "$aws/+/x", true),
            ("#", "+/$b", true),
        ] {
            assert_eq!(overlaps(one, other), yes, "{one} and {other}");
            assert_eq!(overlaps(other, one), yes, "{other} and {one}");
        }
    }

    fn level() -> impl Strategy<Value = String> {
        prop_oneof!["[abc$]{0,2}", Just("+".to_owned())]
    }

    proptest! {
        /// An outer filter matches everything that an inner one matches, so that no filter exceeds its rule.
        #[test]
        fn covering_is_transitive(
            outer in prop::collection::vec(level(), 1..4),
            inner in prop::collection::vec(level(), 1..4),
            topic in prop::collection::vec("[abc$]{0,2}", 1..4),
            hashes in any::<(bool, bool)>(),
        ) {
            let filter = |levels: Vec<String>, hash| match hash {
                true => format!("{}/#", levels.join("/")),
                false => levels.join("/"),
            };
            let (outer, inner, topic) = (filter(outer, hashes.0), filter(inner, hashes.1), topic.join("/"));
            prop_assert!(covers(&outer, &outer));
            if covers(&outer, &inner) && matches(&inner, &topic) {
                prop_assert!(matches(&outer, &topic), "{outer} > {inner} > {topic}");
            }
            if matches(&outer, &topic) && matches(&inner, &topic) {
                prop_assert!(overlaps(&outer, &inner), "{outer}, {inner}: {topic}");
            }
        }
    }
}
