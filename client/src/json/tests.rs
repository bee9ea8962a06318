use proptest::prelude::*;

use super::{DEPTH_LIMIT, Value};

fn parse(text: &str) -> Option<Value> {
    Value::parse(text.as_bytes()).ok()
}

fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn number(text: &str) -> Value {
    Value::Number(text.to_owned())
}

#[test]
fn what_is_json() {
    for (text, value) in [
        ("null", Value::Null),
        (" true\r\n", Value::Bool(true)),
        ("false", Value::Bool(false)),
        ("0", number("0")),
        ("-0.5e+10", number("-0.5e+10")),
        ("10E2", number("10E2")),
        (r#""""#, string("")),
        (r#""\"\\\/\b\f\n\r\t""#, string("\"\\/\u{8}\u{c}\n\r\t")),
        (r#""\u00e4ä\u20AC""#, string("ää€")),
        (r#""\ud83d\ude00""#, string("😀")),
        ("\"\u{7f}\"", string("\u{7f}")),
        ("[]", Value::Array(vec![])),
        ("[ 1 , [ ] ]", Value::Array(vec![number("1"), Value::Array(vec![])])),
        ("{}", Value::Object(vec![])),
        (
            r#"{"a":1,"":{}}"#,
            Value::Object(vec![("a".into(), number("1")), (String::new(), Value::Object(vec![]))]),
        ),
    ] {
        assert_eq!(parse(text), Some(value), "{text}");
    }
}

#[test]
fn what_is_not() {
    for text in [
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "NaN",
        "Infinity",
        "'a'",
        "1 2",
        "{} {}",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x10",
        "--1",
        "\"",
        "\"a",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\u+123""#,
        r#""\ud800""#,
        r#""\ud800x""#,
        r#""\ud800\u0041""#,
        r#""\udc00""#,
        "\"\n\"",
        "\"\u{0}\"",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{1:2}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":1,"a":2}"#,
        "{a:1}",
        "// x\n1",
        "\u{feff}1",
        "\u{a0}1",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
    assert!(Value::parse(b"\"\xff\"").is_err());
    assert_eq!(
        Value::parse(b"[1, x]").unwrap_err().to_string(),
        "no JSON from byte 4 on"
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let limit = usize::from(DEPTH_LIMIT);
    assert!(parse(&nested(limit)).is_some());
    assert!(parse(&nested(limit + 1)).is_none());
    assert!(parse(&"[".repeat(1_000_000)).is_none());
    assert!(parse(&r#"{"a":"#.repeat(1_000_000)).is_none());
}

#[test]
fn missing_values_are_null() {
    let document = parse(r#"{"state":"ready","n":12,"x":-1,"flag":true,"items":["a"]}"#).unwrap();
    assert_eq!(document.get("state").text(), Some("ready"));
    assert_eq!(document.get("n").whole_number(), Some(12));
    assert_eq!(document.get("x").whole_number(), None);
    assert_eq!(document.get("flag").flag(), Some(true));
    assert_eq!(document.get("items").items(), [string("a")]);
    assert_eq!(document.get("none").get("deeper").text(), None);
    assert!(document.get("state").items().is_empty());
}

/// Generates any JSON value.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        "-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?".prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn write(value: &Value) -> String {
    let quote = |text: &str| -> String {
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        let plain = !text.contains(['"', '\\']) && text.chars().all(|c| c >= ' ');
        if plain {
            format!("\"{text}\"")
        } else {
            format!("\"{}\"", units.collect::<String>())
        }
    };
    let join = |parts: Vec<String>| parts.join(" ,\n");
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(digits) => digits.clone(),
        Value::String(text) => quote(text),
        Value::Array(items) => format!("[{}]", join(items.iter().map(write).collect())),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{}\t: {}", quote(name), write(value)));
            format!("{{ {} }}", join(members.collect()))
        }
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(value in values()) {
        prop_assert_eq!(parse(&write(&value)), Some(value));
    }

    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in "[\\[\\]{}:,\"\\\\u0-9a-f.eE+ -]{0,60}") {
        let _ = Value::parse(&bytes);
        let _ = parse(&text);
    }

    #[test]
    fn a_cut_object_is_no_json(value in values(), cut in any::<prop::sample::Index>()) {
        let whole = format!("[{}]", write(&value));
        let cut = (0..=cut.index(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
        prop_assert_eq!(parse(&whole[..cut]), None);
    }
}

#[test]
fn written_records_are_read_again() {
    for text in ["", "a", "\"\\/", "a\r\n\t\u{0}\u{1b}\u{7f}\u{85}", "ü€𝄞"] {
        let read = Value::parse(super::quoted(text).as_bytes()).unwrap();
        assert_eq!(read.text(), Some(text));
    }
    for text in [
        "null",
        "-1.5e+3",
        r#"{"a":[1,"ü\"\u000a",{"b":null}],"c":{},"d":[true,false]}"#,
    ] {
        let value = Value::parse(text.as_bytes()).unwrap();
        assert_eq!(value.json(), text);
    }
}
