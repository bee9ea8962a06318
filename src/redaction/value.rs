//! The length of a quoted value, and values that are known not to be secrets.

/// Replacement for a secret.
pub const REMOVED: &str = "[removed]";

/// Returns the length of a quoted value at the start of `text`, including both quotes. Without a closing quote the whole text is the
/// value. Quotes within a JSON string are escaped with a backslash.
pub(super) fn quoted_length(text: &str) -> Option<usize> {
    let (open, quote) = ["\\\"", "\"", "'"]
        .into_iter()
        .find(|quote| text.starts_with(quote))
        .map(|quote| (quote.len(), quote))?;
    let inner = text.get(open..).unwrap_or_default();
    let mut from = 0;
    while let Some(found) = inner.get(from..).and_then(|rest| rest.find(quote)) {
        let at = from + found;
        let is_escaped = quote == "\"" && inner.get(..at).is_some_and(|before| before.ends_with('\\'));
        if !is_escaped {
            return Some(open + at + quote.len());
        }
        from = at + quote.len();
    }
    Some(text.len())
}

/// Returns whether a value only refers to a secret, such as a path or a variable.
pub(super) fn is_harmless(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'', '\\', ',', ';']);
    // A command may follow an assignment.
    let first = value.split_whitespace().next().unwrap_or_default();
    let is_path = first.starts_with('/') && first.get(1..).is_some_and(|rest| rest.contains(['/', '.']));
    let is_variable = first
        .strip_prefix('$')
        .map(|name| name.trim_matches(['{', '}', '(', ')']))
        .is_some_and(|name| {
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
        });
    let is_placeholder = value.starts_with('<') && value.ends_with('>');
    let is_word = ["", "true", "false", "null", "none", "yes", "no"]
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word));
    is_path || is_variable || is_placeholder || is_word || value.starts_with(REMOVED) || value.starts_with("%d/")
}

/// Returns whether a word contains a digit.
pub(super) fn has_digit(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_end_where_they_are_closed() {
        for (text, length) in [
            ("\"ab\" c", Some(4)),
            ("'ab' c", Some(4)),
            ("\"a\\\"b\" c", Some(6)),
            ("\\\"ab\\\" c", Some(6)),
            ("\"ab", Some(3)),
            ("\"", Some(1)),
            ("ab", None),
            ("", None),
        ] {
            assert_eq!(quoted_length(text), length, "{text}");
        }
    }

    #[test]
    fn references_are_harmless() {
        for value in [
            "/run/credentials/pin",
            "${PIN}",
            "$PIN",
            "<PIN>",
            "true",
            "",
            "\"\"",
            "%d/pin",
            "[removed]",
        ] {
            assert!(is_harmless(value), "{value}");
        }
        for value in ["1234", "$ecret", "/", "/abc", "nothing", "truely"] {
            assert!(!is_harmless(value), "{value}");
        }
    }
}
