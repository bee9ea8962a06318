//! Checks the placeholders in topics and names.
//!
//! A mistyped placeholder would be taken literally, as a topic that nobody uses or a name that no gateway should have.

use super::spelling::is_near;
use crate::foreign_text;

/// Refuses `text` if it has a placeholder that is not one of `known`, or half of one. Braces around text that cannot be a name are
/// allowed in a topic.
///
/// # Errors
/// With the unknown placeholder, and the one that was probably meant.
pub(super) fn check_placeholders(text: &str, known: &[&str]) -> Result<(), String> {
    let rest = known.iter().fold(text.to_owned(), |text, word| text.replace(word, ""));
    let Some(found) = rest.split('/').find_map(|level| find_unknown(level, known)) else {
        return Ok(());
    };
    let meant = match known.iter().find(|word| is_meant(word, &found)) {
        Some(word) => format!("did you mean {word}?"),
        None => format!("there is {}", known.join(" and ")),
    };
    Err(format!(
        "{} has an unknown placeholder, {}: {meant}",
        foreign_text::value(text),
        foreign_text::value(&found)
    ))
}

/// Finds the first unknown placeholder in a topic level from which the known ones were removed.
fn find_unknown(level: &str, known: &[&str]) -> Option<String> {
    if let Some((before, rest)) = level.split_once('{')
        && let Some((name, after)) = rest.split_once('}')
    {
        let found = format!("{{{name}}}");
        // A shell variable may be intended in a topic. AWS's policy variables, which are not, have a colon in their names.
        let is_variable =
            before.ends_with('$') && !name.contains(':') && !known.iter().any(|word| is_meant(word, &found));
        return match is_name(name) && !is_variable {
            true => Some(found),
            false => find_unknown(after, known),
        };
    }
    let is_half = level.contains(['{', '}']) && known.iter().any(|word| is_meant(word, level));
    let other_form = |word: &&str| {
        let (name, level) = (bare_name(word), level.to_lowercase());
        [format!("${name}"), format!("%{name}%"), format!("<{name}>")].contains(&level)
    };
    (is_half || known.iter().any(other_form)).then(|| level.to_owned())
}

/// Returns whether the text between braces can be the name of a placeholder or of one of AWS's policy variables.
fn is_name(text: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || " -_.:".contains(letter);
    !text.is_empty() && text.chars().all(is_part)
}

/// Returns whether `found` resembles the known placeholder `word`, or contains its name.
fn is_meant(word: &str, found: &str) -> bool {
    let (word, found) = (bare_name(word), bare_name(found));
    is_near(&word, &found) || found.contains(&word)
}

/// Returns a placeholder's name in lower case, with hyphens between its words.
fn bare_name(placeholder: &str) -> String {
    let name = placeholder.trim_matches(|letter: char| !letter.is_alphanumeric());
    name.to_lowercase().replace(['_', ' '], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_placeholder_is_refused_with_a_suggestion() {
        let thing = &["{thing}"][..];
        let names = &["{machine-id}", "{hostname}"][..];
        for (text, known, meant) in [
            ("{thng}/camera", thing, "did you mean {thing}?"),
            ("{Thing}/camera", thing, "did you mean {thing}?"),
            ("{THING}/camera", thing, "did you mean {thing}?"),
            ("{things}/camera", thing, "did you mean {thing}?"),
            ("{ thing }/camera", thing, "did you mean {thing}?"),
            ("{{thing}}/camera", thing, ""),
            ("{thing-name}/camera", thing, "did you mean {thing}?"),
            ("{thingName}/#", thing, "did you mean {thing}?"),
            ("{tihng}/#", thing, "did you mean {thing}?"),
            ("$aws/things/{thign}/shadow/update", thing, "did you mean {thing}?"),
            ("${iot:Connection.Thing.ThingName}/x", thing, "did you mean {thing}?"),
            ("${iot:ClientId}/x", thing, "there is {thing}"),
            ("${thingname}/x", thing, "did you mean {thing}?"),
            ("a/${IFS}b", thing, ""),
            ("{client-id}/x", thing, "there is {thing}"),
            ("{machine-id}/x", thing, "there is {thing}"),
            ("{hostname}/x", thing, "there is {thing}"),
            ("a/{x}/{thing}", thing, "there is {thing}"),
            ("{thing}/{thng}", thing, "did you mean {thing}?"),
            ("{thing/camera", thing, "did you mean {thing}?"),
            ("thing}/camera", thing, "did you mean {thing}?"),
            ("a/<thing>/b", thing, "did you mean {thing}?"),
            ("$thing/camera", thing, "did you mean {thing}?"),
            ("%thing%/camera", thing, "did you mean {thing}?"),
            ("{thing}/camera", thing, ""),
            ("thing/camera", thing, ""),
            ("things/{thing}/{thing}", thing, ""),
            ("a/{}/b", thing, ""),
            ("a/{\"x\":1}/b", thing, ""),
            ("a/}{/b", thing, ""),
            ("a/{b", thing, ""),
            ("gw-{machineid}", names, "did you mean {machine-id}?"),
            ("gw-{machine_id}", names, "did you mean {machine-id}?"),
            ("gw-{Machine-ID}", names, "did you mean {machine-id}?"),
            ("gw-{hostnam}", names, "did you mean {hostname}?"),
            ("gw-{serial}", names, "there is {machine-id} and {hostname}"),
            ("gw-{machine-id", names, "did you mean {machine-id}?"),
            ("gw-{machine-id}-{hostname}", names, ""),
        ] {
            let outcome = check_placeholders(text, known);
            assert_eq!(outcome.is_err(), !meant.is_empty(), "{text}: {outcome:?}");
            let said = outcome.err().unwrap_or_default();
            assert!(said.ends_with(meant), "{text}: {said}");
        }
    }
}
