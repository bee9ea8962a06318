//! Words a fault in a TOML file: its line and column, the key and the kind of fault, and never what stands there.
//!
//! A file may hold a PIN or a private key in the wrong place, and the errors of `toml` and `serde` quote what they stumble over.

use toml::de::Error;

use super::suggest::closest;
use crate::foreign_text::key_name;

/// The longest word in the fixed messages of `toml`; what is longer may be quoted.
const LONGEST_WORD: usize = 14;

/// The fault as `LINE:COLUMN: KEY: REASON`.
pub(super) fn with_place(text: &str, error: &Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    let key = match error.message() {
        // A wrong type says what kind of value it is, and not whose.
        message if is_wrong_type(message) => text
            .lines()
            .nth(line - 1)
            .and_then(|words| words.split_once('='))
            .and_then(|(key, _)| key_name(key.trim()))
            .map(|key| format!("{}: ", key.trim_matches('"'))),
        _ => None,
    };
    format!("{line}:{column}: {}{}", key.unwrap_or_default(), reason(error))
}

/// The kind of fault alone.
pub(super) fn reason(error: &Error) -> String {
    let message = error.message();
    if let Some(rest) = message.strip_prefix("unknown field `") {
        // The name may have anything in it; what was expected are our own keys.
        let (name, expected) = rest.rsplit_once("`, expected ").unwrap_or((rest, "another key"));
        let (name, expected) = match rest.rsplit_once("`, there are no fields") {
            Some((name, _)) => (name, "none"),
            None => (name, expected),
        };
        return match key_name(name) {
            Some(_) => format!(
                "unknown field `{name}`, expected {expected}{}",
                suggestion(name, expected)
            ),
            None => format!("an unknown field, whose name is not shown here, expected {expected}"),
        };
    }
    if is_wrong_type(message) {
        return wrong_type(message);
    }
    match is_fixed(message) {
        true => message.to_owned(),
        false => "is no TOML".to_owned(),
    }
}

/// "; did you mean `module`?" where one of the expected keys is close to the mistyped one.
fn suggestion(name: &str, expected: &str) -> String {
    let known = expected.split('`').skip(1).step_by(2);
    // Kebab case is ours; other programs' configurations have underscores.
    let typed = name.replace('_', "-");
    let meant = closest(&typed, known).map(|key| format!("; did you mean `{key}`?"));
    meant.unwrap_or_default()
}

fn is_wrong_type(message: &str) -> bool {
    message.starts_with("invalid type: ") || message.starts_with("invalid value: ")
}

/// What serde says of a wrong type ("invalid type: integer `1234`, expected a string") without the value.
fn wrong_type(message: &str) -> String {
    let (_, found) = message.split_once(": ").unwrap_or_default();
    let kind: String = found
        .chars()
        .take_while(|letter| letter.is_ascii_lowercase() || *letter == ' ')
        .collect();
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    let expected = match expected {
        Some(expected) if expected.starts_with("struct ") => "a table",
        Some(expected) if is_fixed(expected) => expected,
        _ => "another type",
    };
    format!("invalid type: {}, expected {expected}", kind.trim())
}

/// Whether a message is one of the library's fixed ones ("key with no value, expected `=`"): words of lower-case letters and a
/// few signs, and nothing that could be a part of a file.
fn is_fixed(message: &str) -> bool {
    let is_short = |word: &str| word.len() <= LONGEST_WORD;
    let of_words = |byte: u8| byte.is_ascii_lowercase() || b" ,.:-`=[]{}\"'#\\".contains(&byte);
    // Numbers' own types, as in "expected u32", and dates.
    let without_types = ["u64", "u32", "i64", "UTF-8", "RFC 3339"]
        .iter()
        .fold(message.to_owned(), |text, name| text.replace(name, ""));
    without_types.bytes().all(of_words) && without_types.split(' ').all(is_short)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::raw::Raw;
    use super::*;

    fn fault(text: &str) -> String {
        let error = toml::from_str::<Raw>(text).expect_err(text);
        with_place(text, &error)
    }

    #[test]
    fn a_fault_has_its_place_its_key_and_its_kind() {
        for (text, said) in [
            (
                "[token]\nmodul = \"x\"",
                "2:1: unknown field `modul`, expected one of `module`, ",
            ),
            ("[frobnicate]", "1:2: unknown field `frobnicate`, expected one of"),
            ("[token]\npin = 1", "2:1: unknown field `pin`"),
            (
                "[token]\n  pin2 = 1",
                "2:3: an unknown field, whose name is not shown here, expected one of",
            ),
            ("[aws", "1:5: unclosed table, expected `]`"),
            ("[aws]\nroot-ca", "2:8: key with no value, expected `=`"),
            ("[aws]\nroot-ca = ", "2:11: "),
            ("[aws]\nroot-ca = \"a", "2:13: invalid basic string, expected `\"`"),
            ("[aws]\nroot-ca = \"a\"\nroot-ca = \"b\"", "3:1: duplicate key"),
            (
                "[mqtt]\nkeep-alive = 60",
                "2:14: keep-alive: invalid type: integer, expected a string",
            ),
            (
                "[mqtt]\npublish-rate = \"x\"",
                "2:16: publish-rate: invalid type: string, expected u32",
            ),
            (
                "[mqtt]\npublish-rate = -5",
                "2:16: publish-rate: invalid type: integer, expected u32",
            ),
            ("aws = 5", "1:7: aws: invalid type: integer, expected a table"),
            ("access = 5", "1:10: access: invalid type: integer, expected a sequence"),
        ] {
            let found = fault(text);
            assert!(found.starts_with(said), "{text}\ngave     {found}\nexpected {said}");
        }
    }

    #[test]
    fn a_mistyped_key_is_told_from_an_unknown_one() {
        for (text, meant) in [
            ("[token]\nmodul = \"x\"", Some("module")),
            ("[aws]\nmqtt_endpoint = \"x\"", Some("mqtt-endpoint")),
            ("[aws]\nmqtt-endpiont = \"x\"", Some("mqtt-endpoint")),
            ("[awss]", Some("aws")),
            ("[[acess]]", Some("access")),
            ("[[role-aliases]]", Some("role-alias")),
            ("[mqtt]\nkeepalive = \"60s\"", Some("keep-alive")),
            ("[frobnicate]", None),
            ("[token]\npassword = \"x\"", None),
        ] {
            let said = fault(text);
            match meant {
                Some(key) => assert!(said.ends_with(&format!("; did you mean `{key}`?")), "{text}: {said}"),
                None => assert!(!said.contains("did you mean"), "{text}: {said}"),
            }
        }
    }

    proptest! {
        #[test]
        fn no_fault_repeats_the_file(secret in "[A-Za-z0-9+/]{8,64}", place in 0_usize..12) {
            let text = [
                secret.clone(),
                format!("{secret} = 1"),
                format!("\"{secret}\" = 1"),
                format!("[{secret}]"),
                format!("[token]\n{secret}=="),
                format!("[token]\npin-file = {secret}"),
                format!("[token]\npin-file = [\"{secret}\"]"),
                format!("[token]\npin-file = \"{secret}"),
                format!("[token]\npin-file = '''\n{secret}"),
                format!("[token.{secret}]\na = 1"),
                format!("[mqtt]\nkeep-alive = {{ {secret} = 1 }}"),
                format!("[mqtt]\npublish-rate = \"{secret}\""),
            ];
            if let Some(text) = text.get(place)
                && let Err(error) = toml::from_str::<Raw>(text)
            {
                let said = with_place(text, &error);
                prop_assert!(!said.contains(&secret) || key_name(&secret).is_some(), "{text}: {said}");
            }
        }
    }
}
