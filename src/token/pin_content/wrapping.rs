//! Recognises quotation marks around a PIN, and escaped characters in it.

/// Returns whether a character is invisible on a screen. Such characters are often copied along with text.
pub(super) fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{2000}'..='\u{200f}' | '\u{202a}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
}

/// Returns whether the line is in quotation marks or angle brackets.
pub(super) fn is_enclosed(line: &str) -> bool {
    const PAIRS: [(char, char); 9] = [
        ('"', '"'),
        ('\'', '\''),
        ('`', '`'),
        ('<', '>'),
        ('\u{201c}', '\u{201d}'),
        ('\u{201e}', '\u{201c}'),
        ('\u{2018}', '\u{2019}'),
        ('\u{201a}', '\u{2018}'),
        ('\u{ab}', '\u{bb}'),
    ];
    let is_pair = |text: &str| {
        PAIRS
            .iter()
            .any(|(open, close)| text.chars().count() > 1 && text.starts_with(*open) && text.ends_with(*close))
    };
    // Punctuation of source code may be copied along: `"1234",`, `$'1234'`, `b'1234'`, `("1234")`.
    let inner = line.trim_end_matches([',', ';', ')']).trim_start_matches('(');
    let literal = inner
        .strip_prefix(['$', 'b', '@'])
        .filter(|rest| rest.starts_with(['"', '\'']));
    is_pair(line) || is_pair(literal.unwrap_or(inner))
}

/// Returns whether the line has letters and digits and a quotation mark on one side only, as in `"1234`. With other characters in it, the
/// quotation mark may be a part of the PIN.
pub(super) fn is_half_quoted(line: &str) -> bool {
    let is_quote = |letter: char| matches!(letter, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}');
    let inner = line.strip_prefix(is_quote).or(line.strip_suffix(is_quote));
    inner.is_some_and(|inner| !inner.is_empty() && inner.chars().all(char::is_alphanumeric))
}

/// Returns whether the line begins with an option of echo, as in `-n 1234`. The echo of dash and other shells lacks some options.
pub(super) fn is_echo_option(line: &str) -> bool {
    ["-n ", "-e ", "-ne ", "-en "]
        .iter()
        .any(|option| line.starts_with(option))
}

/// Returns whether the line ends with an escaped line break, or consists of escapes such as `\x31` or `\u0031`.
pub(super) fn is_escaped(line: &str) -> bool {
    let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let all = |mark: &str| line.strip_prefix(mark).is_some_and(|rest| rest.split(mark).all(is_hex));
    line.ends_with("\\n") || line.ends_with("\\r") || all("\\x") || all("\\u")
}

/// Returns whether the line ends with a URL-encoded line break, or consists of percent-encoded characters. A single one may be a part of
/// the PIN.
pub(super) fn is_url_encoded(line: &str) -> bool {
    let upper = line.to_ascii_uppercase();
    let is_escape = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_whole = line
        .strip_prefix('%')
        .is_some_and(|rest| rest.contains('%') && rest.split('%').all(is_escape));
    is_whole || upper.ends_with("%0A") || upper.ends_with("%0D")
}
