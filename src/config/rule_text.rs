//! Writes an `[[access]]` rule as TOML, for the hint of a refusal and for `gatepostd --allow`.
//!
//! Names and topics come from the caller, and end up in a file that root reads and perhaps in root's clipboard. Unusual characters
//! in values are therefore escaped, so that a rule that is pasted into a shell by mistake runs nothing.

use std::fmt::{self, Write as _};

use super::Selectors;
use super::values::{check_account_name, check_alias_name, check_granted_topics, check_unit_name};
use super::web_tokens::check_audience;

/// An access rule that is not in the configuration yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleText {
    /// The callers to which the rule applies.
    pub who: Selectors,
    /// The granted role aliases; `*` means all.
    pub role_aliases: Vec<String>,
    /// The topics to which callers may publish.
    pub publish: Vec<String>,
    /// The topics to which callers may subscribe.
    pub subscribe: Vec<String>,
    /// The audiences for which callers get tokens.
    pub tokens: Vec<String>,
}

impl RuleText {
    /// Returns whether the rule grants nothing.
    pub fn is_empty(&self) -> bool {
        self.role_aliases.is_empty() && self.publish.is_empty() && self.subscribe.is_empty() && self.tokens.is_empty()
    }

    /// Finds the values that no configuration accepts, and returns their faults, each with its key.
    pub fn faults(&self) -> Vec<String> {
        let Selectors { user, group, unit, .. } = &self.who;
        let accounts = [("user", user), ("group", group)].into_iter();
        let accounts = accounts.filter_map(|(key, name)| Some((key, check_account_name(name.as_ref()?))));
        let unit = unit.iter().map(|unit| ("unit", check_unit_name(unit)));
        let aliases = self.role_aliases.iter().filter(|alias| *alias != "*");
        let aliases = aliases.map(|alias| ("role-aliases", check_alias_name(alias).map(drop)));
        let topics = [("publish", &self.publish), ("subscribe", &self.subscribe)].into_iter();
        let topics = topics.flat_map(|(key, filters)| {
            let checked = filters.iter().map(|filter| check_granted_topics(filter));
            checked.map(move |outcome| (key, outcome.map(drop)))
        });
        let tokens = self.tokens.iter();
        let tokens = tokens.map(|audience| ("tokens", check_audience(audience).map(drop)));
        let all = accounts.chain(unit).chain(aliases).chain(topics).chain(tokens);
        all.filter_map(|(key, outcome)| Some(format!("{key}: {}", outcome.err()?)))
            .collect()
    }
}

impl fmt::Display for RuleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[[access]]")?;
        let Selectors {
            user,
            group,
            uid,
            gid,
            unit,
        } = &self.who;
        for (key, value) in [("user", user), ("group", group), ("unit", unit)] {
            if let Some(value) = value {
                write!(f, "\n{key} = {}", quote(value))?;
            }
        }
        for (key, value) in [("uid", uid), ("gid", gid)] {
            if let Some(value) = value {
                write!(f, "\n{key} = {value}")?;
            }
        }
        for (key, values) in [
            ("role-aliases", &self.role_aliases),
            ("publish", &self.publish),
            ("subscribe", &self.subscribe),
            ("tokens", &self.tokens),
        ] {
            if !values.is_empty() {
                let values: Vec<String> = values.iter().map(|value| quote(value)).collect();
                write!(f, "\n{key} = [{}]", values.join(", "))?;
            }
        }
        Ok(())
    }
}

/// Writes a TOML basic string. All characters that have a meaning to a shell inside double quotes are escaped.
fn quote(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let plain = match letter {
            // A shell takes `$aws` for a variable and runs nothing, unlike `$(` and "$`".
            '$' => letters.peek().is_some_and(char::is_ascii_alphabetic),
            letter => letter.is_ascii_alphanumeric() || " _-./#+{}:=@,*".contains(letter),
        };
        if plain {
            literal.push(letter);
        } else {
            // Writing to a string cannot fail.
            let _ = match u32::from(letter) {
                short @ 0..=0xffff => write!(literal, "\\u{short:04X}"),
                long => write!(literal, "\\U{long:08X}"),
            };
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::super::raw::Raw;
    use super::*;

    #[test]
    fn a_written_rule_is_read_back_unchanged() {
        let hostile = [
            "plain",
            "$(touch pwned)",
            "`touch pwned`",
            "';touch pwned;'",
            "\"], role-aliases = [\"*\"], subscribe = [\"b",
            "a\\",
            "a\n[[access]]\nuid = 0",
            "\u{202e}kcalb",
            "# no comment",
            "{thing}/a/#",
            "*",
            "",
        ];
        for text in hostile {
            let list = || vec![text.to_owned(), "second".to_owned()];
            let rule = RuleText {
                who: Selectors {
                    user: Some(text.to_owned()),
                    group: Some(text.to_owned()),
                    uid: Some(7),
                    gid: Some(8),
                    unit: Some(text.to_owned()),
                },
                role_aliases: list(),
                publish: list(),
                subscribe: list(),
                tokens: list(),
            };
            let written = rule.to_string();
            let raw: Raw = toml::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
            let [access] = raw.access.as_slice() else {
                panic!("{written}")
            };
            let read = RuleText {
                who: Selectors {
                    user: access.user.clone(),
                    group: access.group.clone(),
                    uid: access.uid,
                    gid: access.gid,
                    unit: access.unit.clone(),
                },
                role_aliases: access.role_aliases.clone(),
                publish: access.publish.clone(),
                subscribe: access.subscribe.clone(),
                tokens: access.tokens.clone(),
            };
            assert_eq!(read, rule, "{written}");
            assert!(
                written.lines().count() == 10 && !written.contains(['`', '\'', ';', '!']),
                "{written}"
            );
        }
    }

    #[test]
    fn an_empty_value_is_not_written() {
        let rule = RuleText {
            who: Selectors {
                user: Some("app".to_owned()),
                ..Selectors::default()
            },
            role_aliases: vec!["s3".to_owned()],
            ..RuleText::default()
        };
        assert_eq!(rule.to_string(), "[[access]]\nuser = \"app\"\nrole-aliases = [\"s3\"]");
        assert!(!rule.is_empty() && RuleText::default().is_empty());
    }
}
