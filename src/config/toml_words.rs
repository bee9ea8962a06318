//! Translates the messages of the TOML parser, which speak of Rust types and parts of the grammar.

/// Our message by the beginning of the parser's message.
const WORDS: [(&str, &str); 31] = [
    (
        "string values must be quoted",
        "the value is not a number, not true or false, and not text in quotation marks",
    ),
    ("invalid string", UNCLOSED_TEXT),
    ("missing opening quote", UNCLOSED_TEXT),
    ("missing escaped value", ESCAPE),
    ("too few unicode value digits", ESCAPE),
    ("integer number overflowed", NUMBER),
    ("floating-point number overflowed", NUMBER),
    ("u64 value was too large", NUMBER),
    ("number too ", NUMBER),
    ("invalid digit found in string", NUMBER),
    ("invalid hexadecimal number", NUMBER),
    ("invalid octal number", NUMBER),
    ("invalid binary number", NUMBER),
    ("invalid integer number", NUMBER),
    ("invalid float", NUMBER),
    ("invalid mantissa", NUMBER),
    ("invalid exponent", NUMBER),
    ("invalid fraction", NUMBER),
    ("`_` may only go between digits", NUMBER),
    ("unexpected leading zero", NUMBER),
    ("unexpected sign", NUMBER),
    ("redundant ", NUMBER),
    ("radix must be lowercase", NUMBER),
    ("integers with a radix cannot be signed", NUMBER),
    ("invalid boolean", "the value is neither true nor false"),
    ("invalid time", DATE),
    ("invalid date", DATE),
    (
        "unexpected key or value",
        "there is text after the value; only a comment may follow, which begins with #",
    ),
    ("extra `=`", "there is one = too many"),
    ("unquoted keys cannot be empty", "a name is missing"),
    (
        "invalid unquoted key",
        "a name has a character that is not allowed: names consist of letters, digits, - and _",
    ),
];
const UNCLOSED_TEXT: &str = "the text lacks a quotation mark";
const ESCAPE: &str =
    "a backslash in \"...\" begins an escape that TOML does not have; write two, or put the text into '...'";
const NUMBER: &str = "the value is not a whole number, or much too large";
const DATE: &str = "the value is a date or a time, which no key takes";

/// Translates a message of the parser; `None` if it is plain enough as it is.
pub(super) fn translate(message: &str) -> Option<&'static str> {
    let is_text = message.starts_with("invalid ") && message.contains(" string");
    if is_text {
        // The parser expects either the closing quotation mark or a visible character.
        return Some(match message.contains("visible characters") {
            true => "the text has a control character in it",
            false => UNCLOSED_TEXT,
        });
    }
    let found = WORDS.iter().find(|(start, _)| message.starts_with(start));
    found.map(|(_, words)| *words)
}

/// Names the expected type.
pub(super) fn expected_type(expected: &str) -> Option<&'static str> {
    match expected {
        "a string" => Some("a string"),
        "a boolean" => Some("a boolean"),
        "a sequence" => Some("a list"),
        "a map" => Some("a table"),
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => Some("a whole number"),
        other => other.starts_with("struct ").then_some("a table"),
    }
}

/// Names the type that was found.
pub(super) fn found_type(kind: &str) -> &str {
    match kind {
        "floating point" => "number with a point",
        "sequence" => "list",
        "map" => "table or date",
        other => other,
    }
}

/// Describes a character that was pasted from a document and only looks like one of TOML's.
pub(super) fn describe_look_alike(letter: char) -> Option<&'static str> {
    match letter {
        '\u{ab}'
        | '\u{bb}'
        | '\u{2018}'..='\u{201f}'
        | '\u{2032}'..='\u{2037}'
        | '\u{2039}'
        | '\u{203a}'
        | '`'
        | '\u{b4}'
        | '\u{300c}'..='\u{300f}'
        | '\u{ff02}'
        | '\u{ff07}' => Some("there is a typographic quotation mark; TOML accepts only the plain ones, \" and '"),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}' => Some("there is a dash that is not the plain hyphen (-)"),
        '\u{a0}' | '\u{2000}'..='\u{200f}' | '\u{202f}' | '\u{205f}' | '\u{2060}' | '\u{3000}' | '\u{feff}' => {
            Some("there is a special blank, which looks like a plain one")
        }
        '\u{ff10}'..='\u{ff19}' => Some("there is a digit that is not a plain one"),
        '\u{ff1d}' => Some("there is an equals sign that is not the plain one"),
        _ => None,
    }
}
