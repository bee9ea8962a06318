//! The rule that a refused caller is missing, as TOML that an administrator can add to a file.
//!
//! A caller chooses the topic it asks for, so its words reach root's clipboard through this hint. Nothing here is a shell
//! command, and every value is a TOML string whose unusual characters are escaped: pasted into a shell by mistake, it
//! runs nothing that the caller wrote.

use std::fmt::Write as _;
use std::path::Path;

use super::access::Wish;
use super::peer::Peer;
use crate::topic::THING;

/// The users that systemd gives to services with `DynamicUser=` and takes back (systemd.exec(5)).
const DYNAMIC_USERS: std::ops::RangeInclusive<u32> = 61_184..=65_519;
/// The drop-in that hints name; whoever has one already adds to it.
const FILE: &str = "access.toml";
/// AWS's own topics. A rule can give those of this thing only.
const RESERVED: &str = "$aws/";

/// Whether systemd may give this user to another service later.
pub fn is_dynamic(uid: u32) -> bool {
    DYNAMIC_USERS.contains(&uid)
}

/// The rule that would give `peer` what it wants, below a comment that says where to put it. `drop_ins` is the folder of the
/// configuration that is in use, and `thing` this gateway's thing name.
pub fn missing_rule(peer: &Peer, wish: Wish, thing: &str, drop_ins: &Path) -> String {
    let (key, value) = wish.key();
    let Some(value) = grantable(value, thing) else {
        return "# no rule can give it: of the topics that begin with $ only those of this thing can be given"
            .to_owned();
    };
    let selector = match (&peer.unit, is_dynamic(peer.uid)) {
        (Some(unit), true) => format!("unit = {}", literal(unit)),
        (None, true) => {
            return format!(
                "# uid {} is one that systemd gives to another service later, so no rule should name it: give the \
                 service's unit, as in unit = \"NAME.service\"",
                peer.uid
            );
        }
        (_, false) => format!("uid = {}", peer.uid),
    };
    let file = drop_ins.join(FILE).display().to_string();
    format!(
        "# to give it, add these lines to {}, then: systemctl reload gatepost\n[[access]]\n{selector}\n{key} = [{}]",
        file.escape_debug(),
        literal(&value)
    )
}

/// The value as a rule must have it; `None` where no rule can.
fn grantable(value: &str, thing: &str) -> Option<String> {
    if !value.starts_with('$') {
        return Some(value.to_owned());
    }
    let rest = value.strip_prefix(&format!("{RESERVED}things/{thing}/"))?;
    Some(format!("{RESERVED}things/{THING}/{rest}"))
}

/// A TOML basic string. Only characters that mean nothing to a shell inside double quotes are written as they are.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let plain = match letter {
            // `$aws` is a variable to a shell, and runs nothing; `$(` and "$`" would.
            '$' => letters.peek().is_some_and(char::is_ascii_alphabetic),
            letter => letter.is_ascii_alphanumeric() || " _-./#+{}:=@,".contains(letter),
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
    use std::sync::Arc;

    use super::*;

    fn peer(uid: u32, unit: Option<&str>) -> Peer {
        Peer {
            uid,
            account: uid,
            gid: 100,
            pid: Some(7),
            unit: unit.map(Arc::from),
        }
    }

    fn hint(peer: &Peer, wish: Wish) -> String {
        missing_rule(peer, wish, "gw-1", Path::new("/srv/gate post/conf.d"))
    }

    /// What the hint's TOML gives: the selector and the value of the key.
    fn rule(hint: &str, key: &str) -> (String, String) {
        let document: toml::Table = toml::from_str(hint).unwrap_or_else(|error| panic!("{error}: {hint}"));
        assert_eq!(document.len(), 1, "{hint}");
        let rules = document["access"].as_array().unwrap();
        assert_eq!(rules.len(), 1, "{hint}");
        let mut rule = rules[0].as_table().unwrap().clone();
        let values = rule.remove(key).unwrap();
        let values = values.as_array().unwrap();
        assert_eq!((values.len(), rule.len()), (1, 1), "{hint}");
        let (name, selector) = rule.into_iter().next().unwrap();
        let selector = match selector {
            toml::Value::Integer(number) => number.to_string(),
            other => other.as_str().unwrap().to_owned(),
        };
        (format!("{name} {selector}"), values[0].as_str().unwrap().to_owned())
    }

    /// What a shell would see outside of double quotes, after a check of what it would see inside.
    fn outside_quotes(hint: &str) -> String {
        let mut parts = hint.split('"');
        let mut outside = parts.next().unwrap().to_owned();
        while let (Some(inside), Some(next)) = (parts.next(), parts.next()) {
            assert!(inside.is_ascii() && !inside.contains(['`', '\'', '!', '\n']), "{hint}");
            for (index, _) in inside.match_indices('$') {
                assert!(inside.as_bytes()[index + 1].is_ascii_alphabetic(), "{hint}");
            }
            for (index, _) in inside.match_indices('\\') {
                assert!(matches!(inside.as_bytes()[index + 1], b'u' | b'U'), "{hint}");
            }
            outside.push_str("\"\"");
            outside.push_str(next);
        }
        outside
    }

    #[test]
    fn the_hint_is_toml_that_gives_exactly_what_was_asked_for() {
        let fixed = "# to give it, add these lines to /srv/gate post/conf.d/access.toml, then: systemctl reload \
                     gatepost\n[[access]]\nuid = 1000\npublish = [\"\"]";
        for topic in [
            "gw-1/camera/state",
            "gw-1/x';touch pwned;'",
            "a\"], role-aliases = [\"*\"], subscribe = [\"b",
            "a\\\"b",
            "$(touch pwned)",
            "a/`touch pwned`/b",
            "a/${IFS}b",
            "a/$$b",
            "trailing $",
            "trailing \\",
            "two\nlines\n[[access]]\nuid = 0",
            "tab\tand\u{1b}[2Jescape",
            "c1 \u{9b}31m",
            "bidi \u{202e}kcalb",
            "ünïcode/温度/🌡",
            "# no comment",
            "\u{feff}bom",
            "'''",
            "\"\"\"",
            "!history",
            "",
        ] {
            // What begins with `$` is AWS's own, and another case.
            let topic = topic.strip_prefix('$').unwrap_or(topic);
            let hint = hint(&peer(1000, None), Wish::Publish(topic));
            assert_eq!(rule(&hint, "publish"), ("uid 1000".to_owned(), topic.to_owned()));
            assert_eq!(outside_quotes(&hint), fixed, "{topic}");
        }
    }

    #[test]
    fn any_words_of_a_caller_come_back_from_the_hint_unchanged() {
        const LETTERS: &[char] = &[
            'a',
            '/',
            '$',
            '(',
            ')',
            '`',
            '\'',
            '"',
            '\\',
            '\n',
            '\r',
            '\0',
            '{',
            '}',
            '[',
            ']',
            '=',
            ',',
            '#',
            ' ',
            ';',
            '&',
            '|',
            '>',
            '<',
            '!',
            '*',
            '?',
            '~',
            '\u{7f}',
            '\u{85}',
            '\u{2028}',
            '\u{202e}',
            '\u{d7ff}',
            '\u{10ffff}',
        ];
        // A fixed linear congruential sequence (Knuth, MMIX): the same words in each run.
        let mut state: u64 = 7;
        let mut next = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        for round in 0..5_000 {
            let length = next(24);
            let words: String = (0..length).map(|_| LETTERS[next(LETTERS.len())]).collect();
            let words = format!("w{words}");
            let (wish, key) = match round % 3 {
                0 => (Wish::Publish(&words), "publish"),
                1 => (Wish::Subscribe(&words), "subscribe"),
                _ => (Wish::RoleAlias(&words), "role-aliases"),
            };
            let hint = hint(&peer(1000, None), wish);
            assert_eq!(rule(&hint, key), ("uid 1000".to_owned(), words.clone()));
            assert!(outside_quotes(&hint).ends_with(&format!("{key} = [\"\"]")), "{hint}");
        }
    }

    #[test]
    fn a_user_that_systemd_lends_is_never_named() {
        for (uid, unit, expected) in [
            (61_184, Some("camera.service"), Some("unit camera.service")),
            (65_519, Some("camera.service"), Some("unit camera.service")),
            (61_183, Some("camera.service"), Some("uid 61183")),
            (65_520, Some("camera.service"), Some("uid 65520")),
            (1000, Some("user@1000.service"), Some("uid 1000")),
            (62_000, None, None),
        ] {
            let hint = hint(&peer(uid, unit), Wish::RoleAlias("telemetry"));
            let given = hint.contains("[[access]]").then(|| rule(&hint, "role-aliases").0);
            assert_eq!(given.as_deref(), expected, "{hint}");
            assert!(toml::from_str::<toml::Table>(&hint).is_ok());
        }
    }

    #[test]
    fn of_the_reserved_topics_only_this_things_can_be_given() {
        for (topic, expected) in [
            (
                "$aws/things/gw-1/shadow/update",
                Some("$aws/things/{thing}/shadow/update"),
            ),
            ("$aws/things/gw-10/shadow/update", None),
            ("$aws/rules/all/x", None),
            ("$SYS/broker", None),
            ("$", None),
            ("gw-1/$aws", Some("gw-1/$aws")),
        ] {
            let hint = hint(&peer(1000, None), Wish::Publish(topic));
            let given = hint.contains("[[access]]").then(|| rule(&hint, "publish").1);
            assert_eq!(given.as_deref(), expected, "{hint}");
        }
    }
}
