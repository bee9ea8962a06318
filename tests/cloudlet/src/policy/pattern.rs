//! Patterns with `*` and `?`, for actions and resources.
//!
//! `*` matches across topic levels; MQTT's `+` and `#` are literal text (developer guide, pub-sub-policy).

use super::Context;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Literal(char),
    Any,
    One,
}

/// A pattern whose variables have been resolved. Values of variables are literal, whatever they contain.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Token>);

impl Pattern {
    /// Creates a pattern without variables, for actions.
    pub(super) fn plain(text: &str) -> Self {
        Self(text.chars().map(wildcard).collect())
    }

    /// Creates a pattern from text with variables; `${*}`, `${?}` and `${$}` are the literal characters (IAM, policy variables).
    pub(super) fn resolved(text: &str, context: &Context) -> Self {
        let mut tokens = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            tokens.extend(before.chars().map(wildcard));
            let Some((variable, after)) = after.split_once('}') else {
                tokens.extend("${".chars().chain(after.chars()).map(Token::Literal));
                return Self(tokens);
            };
            let value = match variable {
                "*" | "?" | "$" => variable.to_owned(),
                _ => context.resolve(variable).unwrap_or_else(|| format!("${{{variable}}}")),
            };
            tokens.extend(value.chars().map(Token::Literal));
            rest = after;
        }
        tokens.extend(rest.chars().map(wildcard));
        Self(tokens)
    }

    /// Returns the resolved text for literal comparisons, in which wildcards have no meaning.
    pub(super) fn literally(text: &str, context: &Context) -> String {
        let tokens = Self::resolved(text, context).0.into_iter();
        let characters = tokens.map(|token| match token {
            Token::Literal(character) => character,
            Token::Any => '*',
            Token::One => '?',
        });
        characters.collect()
    }

    /// Matches greedily with a single backtracking point: linear in practice, and never exponential.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut token, mut at) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(token), text.get(at)) {
                (None, None) => return true,
                (Some(Token::Any), _) => {
                    retry = Some((token, at));
                    token += 1;
                }
                (Some(Token::One), Some(_)) => (token, at) = (token + 1, at + 1),
                (Some(Token::Literal(expected)), Some(found)) if expected == found => {
                    (token, at) = (token + 1, at + 1);
                }
                _ => match retry {
                    Some((star, from)) if from < text.len() => {
                        retry = Some((star, from + 1));
                        (token, at) = (star + 1, from + 1);
                    }
                    _ => return false,
                },
            }
        }
    }
}

fn wildcard(c: char) -> Token {
    match c {
        '*' => Token::Any,
        '?' => Token::One,
        other => Token::Literal(other),
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use proptest::prelude::*;

    #[test]
    fn wildcards_cross_levels_and_mqtt_wildcards_are_text() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
            ("topic/gw/*", "topic/gw/a/b", true),
            ("topic/gw/*", "topic/gw", false),
            ("topicfilter/gw/*", "topicfilter/gw/#", true),
            ("topicfilter/gw/+", "topicfilter/gw/a", false),
            ("gw-?", "gw-1", true),
            ("gw-?", "gw-12", false),
            ("*a*b", "xxaxxaxb", true),
            ("*a*b", "xxaxxaxbc", false),
        ] {
            assert_eq!(
                Pattern::plain(pattern).matches(text),
                expected,
                "{pattern} against {text}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_with_any_part_replaced_by_a_star(text in "[a-c/]{0,12}", from in 0usize..13, to in 0usize..13) {
            let (from, to) = (from.min(to).min(text.len()), from.max(to).min(text.len()));
            let pattern = format!("{}*{}", &text[..from], &text[to..]);
            prop_assert!(Pattern::plain(&pattern).matches(&text));
        }
    }
}
