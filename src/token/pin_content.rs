//! Checks what a PIN file contains before the token sees it: a token counts each wrong PIN, a mistake in a file costs nothing.

use std::fmt;

use crate::foreign_text::has_armour;

use names::{has_comment, is_assignment, is_name_of_pin, is_placeholder};

mod names;

/// The longest PIN of the tokens that gatepost was tried with (SoftHSM: 255 bytes; tpm2-pkcs11: 128).
pub(super) const MAX_PIN: usize = 255;

/// A mistake in a PIN file. The texts never repeat anything of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PinFault {
    Empty,
    Utf16,
    ByteOrderMark,
    NotUtf8,
    TooLong,
    SeveralLines,
    EmptyLines,
    Control,
    Invisible,
    BlankAround,
    Quoted,
    Assignment,
    Uri,
    Json,
    Unfilled,
    NoValue,
    Masked,
    Escaped,
    UrlEncoded,
    Place,
    Command,
    EchoOption,
    Comment,
    HalfQuoted,
    KeyMaterial,
}

impl fmt::Display for PinFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::Utf16 => "is UTF-16, as Windows editors write it; a PIN is UTF-8",
            Self::ByteOrderMark => "begins with a byte order mark, which would count as part of the PIN",
            Self::NotUtf8 => "is not UTF-8",
            Self::TooLong => "is longer than any PIN (255 bytes)",
            Self::SeveralLines => "has more than one line",
            Self::EmptyLines => "has empty lines before or after the PIN",
            Self::Control => "has a control character in the PIN",
            Self::Invisible => "has an invisible character in the PIN",
            Self::BlankAround => "has a blank before or after the PIN",
            Self::Quoted => "has the PIN in quotes or brackets, which would count as part of it",
            Self::Assignment => "has a name before the PIN, as in PIN=...; it must hold the PIN alone",
            Self::Uri => "holds a pkcs11: URI; it must hold the PIN alone",
            Self::Json => "holds JSON; it must hold the PIN alone",
            Self::Unfilled => "holds a variable or a placeholder that nobody has filled in",
            Self::NoValue => "holds the word that programs write where there is no value",
            Self::Masked => "holds asterisks or bullets, which some program shows in the PIN's place",
            Self::Escaped => {
                "has a line break or characters written with backslashes, which would count as part of the PIN"
            }
            Self::UrlEncoded => "has the PIN URL-encoded (%31%32...), which would count as part of it",
            Self::Place => {
                "names the place where the PIN is (a path, a URL or a vault's name); it must hold the PIN itself"
            }
            Self::Command => "holds a command; it must hold the PIN alone",
            Self::EchoOption => "begins with an option of echo, which the echo of some shells writes as text",
            Self::Comment => "has a comment behind or before the PIN; it must hold the PIN alone",
            Self::HalfQuoted => "has a quote on one side of the PIN, which would count as part of it",
            Self::KeyMaterial => "holds a key or a certificate; it must hold the PIN alone",
        })
    }
}

/// The PIN in the content of a PIN file, without the line break that editors put at its end (LF or CR LF).
pub(super) fn pin_in(content: &[u8]) -> Result<&str, PinFault> {
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
        return Err(PinFault::Utf16);
    }
    if content.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(PinFault::ByteOrderMark);
    }
    if is_utf16_without_mark(content) {
        return Err(PinFault::Utf16);
    }
    let text = std::str::from_utf8(content).map_err(|_| PinFault::NotUtf8)?;
    if text.trim().is_empty() {
        return Err(PinFault::Empty);
    }
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.trim_matches(is_line_break).contains(is_line_break) {
        return Err(PinFault::SeveralLines);
    }
    if line.contains(is_line_break) {
        return Err(PinFault::EmptyLines);
    }
    check_line(line)?;
    match line.len() > MAX_PIN {
        true => Err(PinFault::TooLong),
        false => Ok(line),
    }
}

fn check_line(line: &str) -> Result<(), PinFault> {
    type Check = fn(&str) -> bool;
    let checks: [(Check, PinFault); 19] = [
        (|line| line.trim() != line, PinFault::BlankAround),
        (|line| line.contains(char::is_control), PinFault::Control),
        (|line| line.contains(is_invisible), PinFault::Invisible),
        (|line| line.starts_with("pkcs11:"), PinFault::Uri),
        (has_armour, PinFault::KeyMaterial),
        (is_json, PinFault::Json),
        (is_unfilled, PinFault::Unfilled),
        (is_no_value, PinFault::NoValue),
        (is_masked, PinFault::Masked),
        (is_enclosed, PinFault::Quoted),
        (is_escaped, PinFault::Escaped),
        (is_url_encoded, PinFault::UrlEncoded),
        (is_place, PinFault::Place),
        (is_command, PinFault::Command),
        (is_echo_option, PinFault::EchoOption),
        (is_assignment, PinFault::Assignment),
        (has_comment, PinFault::Comment),
        (is_placeholder, PinFault::Unfilled),
        (is_half_quoted, PinFault::HalfQuoted),
    ];
    match checks.iter().find(|(is_so, _)| is_so(line)) {
        Some((_, fault)) => Err(*fault),
        None => Ok(()),
    }
}

/// ASCII text in UTF-16 has a zero in every other byte.
fn is_utf16_without_mark(content: &[u8]) -> bool {
    let pairs = content.as_chunks::<2>().0;
    !pairs.is_empty()
        && (pairs.iter().all(|[low, high]| *low != 0 && *high == 0)
            || pairs.iter().all(|[high, low]| *low != 0 && *high == 0))
}

fn is_line_break(letter: char) -> bool {
    matches!(
        letter,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Characters that leave no mark on a screen and come along when a text is copied.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{2000}'..='\u{200f}' | '\u{202a}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
}

fn is_enclosed(line: &str) -> bool {
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
    // A source's punctuation comes along: `"1234",`, `$'1234'`, `b'1234'`, `("1234")`.
    let inner = line.trim_end_matches([',', ';', ')']).trim_start_matches('(');
    let literal = inner
        .strip_prefix(['$', 'b', '@'])
        .filter(|rest| rest.starts_with(['"', '\'']));
    is_pair(line) || is_pair(literal.unwrap_or(inner))
}

/// `"1234`: letters and digits with a quote on one side. Among other signs a quote may be a part of the PIN.
fn is_half_quoted(line: &str) -> bool {
    let is_quote = |letter: char| matches!(letter, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}');
    let inner = line.strip_prefix(is_quote).or(line.strip_suffix(is_quote));
    inner.is_some_and(|inner| !inner.is_empty() && inner.chars().all(char::is_alphanumeric))
}

/// `-n 1234`: the echo of dash and others knows no options, or fewer.
fn is_echo_option(line: &str) -> bool {
    ["-n ", "-e ", "-ne ", "-en "]
        .iter()
        .any(|option| line.starts_with(option))
}

/// `{"pin": "1234"}`, `["1234"]`.
fn is_json(line: &str) -> bool {
    (line.starts_with('{') && line.ends_with('}') || line.starts_with('[') && line.ends_with(']')) && line.contains('"')
}

/// `${PIN}`, `$(cat pin)`, `{{ pin }}`, `%(pin)s`, `ENC[...]`; and `$PIN`, `%PIN%`, `@PIN@`, `__PIN__` by the name.
fn is_unfilled(line: &str) -> bool {
    const PAIRS: [(&str, &str); 9] = [
        ("${", "}"),
        ("$(", ")"),
        ("{{", "}}"),
        ("{%", "%}"),
        ("<%", "%>"),
        ("%(", ")s"),
        ("ENC[", "]"),
        ("#{", "}#"),
        ("$ANSIBLE_VAULT;", ""),
    ];
    if PAIRS
        .iter()
        .any(|(open, close)| line.starts_with(open) && line.ends_with(close))
    {
        return true;
    }
    let marked = |open: &str, close: &str| line.strip_prefix(open)?.strip_suffix(close);
    let name = marked("$", "")
        .or(marked("%", "%"))
        .or(marked("@", "@"))
        .or(marked("__", "__"));
    name.is_some_and(is_name_of_pin)
}

/// `null`, as jq prints it, and its like.
fn is_no_value(line: &str) -> bool {
    const WORDS: [&str; 6] = ["null", "(null)", "none", "nil", "undefined", "[object object]"];
    WORDS.contains(&line.to_ascii_lowercase().as_str())
}

fn is_masked(line: &str) -> bool {
    line.chars().count() > 2
        && line
            .chars()
            .all(|letter| matches!(letter, '*' | '\u{2022}' | '\u{25cf}' | '\u{b7}'))
}

/// A line break as its escape at the end, or characters as `\x31` or `\u0031` alone.
fn is_escaped(line: &str) -> bool {
    let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let all = |mark: &str| line.strip_prefix(mark).is_some_and(|rest| rest.split(mark).all(is_hex));
    line.ends_with("\\n") || line.ends_with("\\r") || all("\\x") || all("\\u")
}

/// A line break as its escape at the end, or nothing but escapes. One in the middle may be a part of the PIN.
fn is_url_encoded(line: &str) -> bool {
    let upper = line.to_ascii_uppercase();
    let is_escape = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_whole = line
        .strip_prefix('%')
        .is_some_and(|rest| rest.contains('%') && rest.split('%').all(is_escape));
    is_whole || upper.ends_with("%0A") || upper.ends_with("%0D")
}

/// A path below one of the system's folders, a URL, the name of a secret in a vault. Base64 may begin with a slash as well.
fn is_place(line: &str) -> bool {
    const PREFIXES: [&str; 22] = [
        "/etc/",
        "/run/",
        "/var/",
        "/home/",
        "/root/",
        "/tmp/",
        "/usr/",
        "/opt/",
        "/srv/",
        "/dev/",
        "/mnt/",
        "/media/",
        "/boot/",
        "/proc/",
        "~/",
        "./",
        "../",
        "file:/",
        "arn:aws",
        "vault:",
        "credential:",
        "secret:",
    ];
    let path = line.strip_prefix('@').unwrap_or(line);
    let is_windows = matches!(path.as_bytes(), [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic());
    let scheme = path.split_once("://").map(|(scheme, _)| scheme);
    let is_url =
        scheme.is_some_and(|scheme| scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    is_url || is_windows || PREFIXES.iter().any(|prefix| path.starts_with(prefix))
}

/// `printf '%s\n' 1234`, `cat /etc/pin`, `tpm2_ptool init --userpin=1234`, `--pin 1234`.
fn is_command(line: &str) -> bool {
    const COMMANDS: [&str; 7] = [
        "printf '",
        "printf \"",
        "printf %s",
        "echo -n ",
        "echo \"",
        "cat /",
        "sudo ",
    ];
    const OPTIONS: [&str; 4] = ["--pin", "--userpin", "--so-pin", "--sopin"];
    let has_option = || {
        line.split(' ')
            .any(|word| OPTIONS.iter().any(|option| word.split('=').next() == Some(option)))
    };
    COMMANDS.iter().any(|command| line.starts_with(command)) || line.contains(' ') && has_option()
}

#[cfg(test)]
mod tests;
