//! Topic names and filters (OASIS MQTT 5.0, 4.7).

use super::Malformed;

/// Checks a topic name, which must not be empty or contain wildcards.
pub(super) fn name(text: String) -> Result<String, Malformed> {
    if text.is_empty() || has_wildcard(&text) {
        Err(Malformed("topic name"))
    } else {
        Ok(text)
    }
}

/// Checks a topic filter: `+` and `#` must be whole levels, and `#` the last one. The prefix of a shared subscription is ignored.
pub(super) fn filter(text: String) -> Result<String, Malformed> {
    let levels: Vec<&str> = unshared(&text)
        .ok_or(Malformed("shared subscription"))?
        .split('/')
        .collect();
    let last = levels.len().saturating_sub(1);
    let valid = |(position, level): (usize, &&str)| {
        !has_wildcard(level) || *level == "+" || (*level == "#" && position == last)
    };
    if text.is_empty() || !levels.iter().enumerate().all(valid) {
        Err(Malformed("topic filter"))
    } else {
        Ok(text)
    }
}

/// Returns the filter in `$share/NAME/FILTER`, or the filter itself; `None` if the filter of a shared subscription is malformed.
pub(crate) fn unshared(filter: &str) -> Option<&str> {
    let Some(rest) = filter.strip_prefix("$share/") else {
        return Some(filter);
    };
    let (name, filter) = rest.split_once('/')?;
    (!name.is_empty() && !has_wildcard(name) && !filter.is_empty()).then_some(filter)
}

/// Returns whether the text contains `+` or `#`.
pub(crate) fn has_wildcard(text: &str) -> bool {
    text.contains(['+', '#'])
}

/// Returns whether a subscription with this filter, which may be a shared one, matches this topic. Wildcards at the beginning do not match
/// topics that begin with `$` (MQTT 5.0, 4.7.2).
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let filter = unshared(filter).unwrap_or(filter);
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            (_, None) => return false,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn filters_match_whole_levels() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
            ("a/+", "a/b", true),
            ("a/+", "a/b/c", false),
            ("a/+/c", "a/b/c", true),
            ("a/#", "a/b/c", true),
            ("#", "a/b", true),
            ("#", "$aws/x", false),
            ("+/x", "$aws/x", false),
            ("$aws/#", "$aws/x/y", true),
            (
                "$aws/certificates/+/json/+",
                "$aws/certificates/create/json/accepted",
                true,
            ),
            ("$share/group/a/+", "a/b", true),
            ("a/", "a", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }
}
