//! Tests the descriptions of faults in TOML.

use proptest::prelude::*;

use super::super::raw::Raw;
use super::*;

fn fault(text: &str) -> String {
    let error = toml::from_str::<Raw>(text).expect_err(text);
    describe_at(text, &error)
}

#[test]
fn a_fault_is_described_by_place_key_and_kind() {
    for (text, said) in [
        (
            "[token]\nmodul = \"x\"",
            "2:1: unknown field `modul`, expected one of `module`, ",
        ),
        ("[token]\npin = 1", "2:1: unknown field `pin`"),
        (
            "[token]\n  pin2 = 1",
            "2:3: unknown field, whose name is not shown here, expected one of",
        ),
        ("[aws", "1:5: unclosed table, expected `]`"),
        ("[aws]\nroot-ca", "2:8: key with no value, expected `=`"),
        ("[aws]\nroot-ca = ", "2:11: "),
        ("[aws]\nroot-ca = \"a", "2:13: the text lacks a quotation mark"),
        ("[aws]\nroot-ca = \"a\"\nroot-ca = \"b\"", "3:1: duplicate key"),
        (
            "[mqtt]\nkeep-alive = 60",
            "2:14: keep-alive: invalid type: integer, expected a string",
        ),
        (
            "[mqtt]\npublish-rate = \"x\"",
            "2:16: publish-rate: invalid type: string, expected a whole number",
        ),
        (
            "[mqtt]\npublish-rate = -5",
            "2:16: publish-rate: the number is out of range",
        ),
        ("aws = 5", "1:7: aws: invalid type: integer, expected a table"),
    ] {
        let found = fault(text);
        assert!(found.starts_with(said), "{text}\ngave     {found}\nexpected {said}");
    }
}

proptest! {
    #[test]
    fn no_fault_repeats_the_file(secret in "[A-Za-z0-9+/]{8,64}|[a-z]{12,40}|[a-z]{6}-[a-z]{9}", place in 0_usize..16) {
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
            format!("[[access]]\nuid = {secret}"),
            format!("access.{secret} = 1"),
            format!("[access.{secret}]"),
            format!("[{secret}.access]\na = 1"),
        ];
        if let Some(text) = text.get(place)
            && let Err(error) = toml::from_str::<Raw>(text)
        {
            let said = describe_at(text, &error);
            prop_assert!(!said.contains(&secret) || is_safe_to_show(&secret), "{text}: {said}");
        }
    }
}

#[test]
fn advice_says_what_a_key_or_a_table_takes() {
    let several = |name: &str| format!("there may be several tables {name}, without names: write [[{name}]]");
    let one = |name: &str| format!("there is one table {name}: write [{name}]");
    let rate = "publish-rate: the number is out of range; it takes messages a second: 1 to 10000";
    let other_rate = |kind: &str| {
        rate.replace(
            "the number is out of range",
            &format!("invalid type: {kind}, expected a whole number"),
        )
    };
    for (text, said) in [
        ("[access]\nuser = \"x\"", format!("1:1: {}", several("access"))),
        ("[role-alias]\nname = \"x\"", format!("1:1: {}", several("role-alias"))),
        (
            "[role-alias.x]\nname = \"y\"",
            format!("1:2: {}", several("role-alias")),
        ),
        ("[access.camera]\nuser = \"x\"", format!("1:2: {}", several("access"))),
        ("access.user = \"x\"", format!("1:1: {}", several("access"))),
        ("access = { user = \"x\" }", format!("1:10: {}", several("access"))),
        ("access = 5", format!("1:10: {}", several("access"))),
        ("role-alias = \"x\"", format!("1:14: {}", several("role-alias"))),
        ("[access]\n[access]", format!("2:2: {}", several("access"))),
        ("[[mqtt]]\nkeep-alive = \"60s\"", format!("1:1: {}", one("mqtt"))),
        ("[[aws]]", format!("1:1: {}", one("aws"))),
        ("[[token]]\n[[token]]", format!("1:1: {}", one("token"))),
        (
            "[[identity.subject]]\ncommon-name = \"x\"",
            format!("1:1: {}", one("identity.subject")),
        ),
        (
            "[mqtt]\n[mqtt]",
            "2:2: the table [mqtt] is there already: put both parts into one".to_owned(),
        ),
        ("[mqtt]\npublish-rate = -5", format!("2:16: {rate}")),
        ("[mqtt]\npublish-rate = 4294967296", format!("2:16: {rate}")),
        ("[mqtt]\npublish-rate = 99999999999999999999", format!("2:16: {rate}")),
        (
            "[mqtt]\npublish-rate = 1.5",
            format!("2:16: {}", other_rate("number with a point")),
        ),
        (
            "[mqtt]\npublish-rate = true",
            format!("2:16: {}", other_rate("boolean")),
        ),
        (
            "[mqtt]\npublish-rate = \"100\"",
            format!("2:16: {}", other_rate("string")),
        ),
        (
            "[[access]]\nuid = -1",
            "2:7: uid: the number is out of range; it takes a user ID: 0 to 4294967294".to_owned(),
        ),
        (
            "[[access]]\ngid = 4294967296",
            "2:7: gid: the number is out of range; it takes a group ID: 0 to 4294967294".to_owned(),
        ),
        (
            "[mqtt]\noutbox-max-bytes = 1GiB",
            "2:20: the value is not a number, not true or false, and not text in quotation marks; it takes bytes: 262144 (256 KiB) to"
                .to_owned(),
        ),
        (
            "[mqtt]\noutbox-max-bytes = \"1GiB\"",
            "2:20: outbox-max-bytes: invalid type: string, expected a whole number; it takes bytes: 262144 (256 KiB) to"
                .to_owned(),
        ),
        (
            "[mqtt]\nkeep-alive = 60",
            "2:14: keep-alive: invalid type: integer, expected a string; write it with its unit: keep-alive = \"60s\""
                .to_owned(),
        ),
        (
            "[[access]]\npublish = \"x\"",
            "2:11: publish: invalid type: string, expected a list; write a list: publish = [\"...\"]".to_owned(),
        ),
        (
            "[[role-alias]]\ndefault = \"yes\"",
            "2:11: default: invalid type: string, expected a boolean; write true or false".to_owned(),
        ),
        (
            "[identity]\nsubject = \"CN=x\"",
            "2:11: subject: invalid type: string, expected a table; write subject = { common-name = \"...\" }"
                .to_owned(),
        ),
        (
            "[[acess]]\nuser = \"x\"",
            "1:3: unknown field `acess`, expected one of".to_owned(),
        ),
    ] {
        let found = fault(text);
        assert!(found.starts_with(&said), "{text}\ngave     {found}\nexpected {said}");
    }
    for (text, end) in [
        ("[[acess]]\nuser = \"x\"", "; did you mean [[access]]?"),
        ("[[role_alias]]\nname = \"x\"", "; did you mean [[role-alias]]?"),
        ("[aws]\nmodule = \"x\"", "; it belongs in [token]"),
        ("[[access]]\nrole_alias = \"x\"", "; did you mean `role-aliases`?"),
        ("[mqtt]\nlisten = \"x\"", "; it belongs in [loopback]"),
        ("[token]\nuser = \"x\"", "; it belongs in [[access]]"),
    ] {
        let found = fault(text);
        assert!(found.ends_with(end), "{text}\ngave     {found}\nexpected {end}");
    }
}

#[test]
fn a_key_that_may_be_a_secret_is_not_shown() {
    for secret in [
        "correcthorsebatterystaple",
        "hunter",
        "swordfish",
        "letmein",
        "geheim-genug",
        "tiger",
    ] {
        for text in [
            format!("{secret} = 1"),
            format!("[token]\n{secret} = 1"),
            format!("[token]\n{secret} = \"x\""),
            format!("[{secret}]"),
            format!("[[{secret}]]"),
            format!("[[access]]\n{secret} = 1"),
            format!("token.{secret} = 1"),
        ] {
            let said = fault(&text);
            assert!(
                !said.contains(secret) && said.contains("whose name is not shown here"),
                "{text}: {said}"
            );
        }
    }
}

/// Each wrong value with a part of its message. No message has terms of the parser, such as Rust types or parts of the grammar.
#[test]
fn wrong_values_are_described_without_terms_of_the_parser() {
    let number = "the value is not a whole number, or much too large";
    let bare = "the value is not a number, not true or false, and not text in quotation marks";
    let quotes = "there is a typographic quotation mark";
    let unclosed = "the text lacks a quotation mark";
    let escape = "a backslash in \"...\" begins an escape";
    let range = "the number is out of range; it takes messages a second: 1 to 10000";
    for (line, words) in [
        ("publish-rate = 1o0", bare),
        ("publish-rate = 100/s", bare),
        ("publish-rate = 0x", number),
        ("publish-rate = 0xZZ", number),
        ("publish-rate = 0b12", number),
        ("publish-rate = 1_", number),
        ("publish-rate = 1__0", number),
        ("publish-rate = 007", number),
        ("publish-rate = 1e400", number),
        ("publish-rate = +-5", number),
        ("publish-rate = 9999999999999999999999999999999999999999999", number),
        ("publish-rate = 99999999999999999999", range),
        ("publish-rate = 4294967296", range),
        ("publish-rate = -5", range),
        ("publish-rate = 1,000", "there is text after the value"),
        (
            "publish-rate = 2026-11-30",
            "invalid type: table or date, expected a whole number",
        ),
        ("publish-rate = 12:99:99", "the value is a date or a time"),
        ("publish-rate = \u{ff11}00", "there is a digit that is not a plain one"),
        (
            "publish-rate = nan",
            "invalid type: number with a point, expected a whole number",
        ),
        ("publish-rate = [100]", "invalid type: list, expected a whole number"),
        ("keep-alive = \u{201c}60s\u{201d}", quotes),
        ("keep-alive = \u{201e}60s\u{201c}", quotes),
        ("keep-alive = \u{ab}60s\u{bb}", quotes),
        ("keep-alive = \u{2018}60s\u{2019}", quotes),
        ("keep-alive = \"60s\u{201d}", quotes),
        ("\u{201c}keep-alive\u{201d} = \"60s\"", quotes),
        ("keep-alive = `60s`", quotes),
        ("keep-alive\u{a0}= \"60s\"", "there is a special blank"),
        (
            "keep\u{2013}alive = \"60s\"",
            "there is a dash that is not the plain hyphen",
        ),
        ("keep-alive = 60s", bare),
        ("keep-alive =", "the value is missing"),
        ("keep-alive = # 60s", "the value is missing"),
        ("keep-alive = '60s", unclosed),
        ("keep-alive = \"60s'", unclosed),
        ("keep-alive = \"\"\"60s", unclosed),
        ("keep-alive = \"a\u{1}b\"", "the text has a control character in it"),
        ("keep-alive = \"6\\0s\"", escape),
        ("keep-alive = \"\\u12\"", escape),
        ("keep-alive == \"60s\"", "there is one = too many"),
        ("keep-alive = \"60s\";", "there is text after the value"),
        ("keep-alive = True", "the value is neither true nor false"),
        ("= 5", "a name is missing"),
    ] {
        let said = fault(&format!("[mqtt]\n{line}"));
        assert!(said.contains(words), "{line}: {said}");
        for foreign in [
            "u32",
            "u64",
            "i128",
            "found in string",
            "literal",
            "basic string",
            "must be quoted",
            "overflowed",
            "expected nothing",
        ] {
            assert!(!said.contains(foreign), "{line}: {said}");
        }
    }
}
