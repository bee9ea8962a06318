//! Finds a private key in a file, in whatever form it is there.
//!
//! A key that stands beside a certificate as base64, hexadecimal digits or JSON is as compromised as one in a PEM block.

use super::{der, encoded};
use crate::foreign_text::is_key_material;

/// How OpenSSH's private keys begin under their base64.
const OPENSSH: &[u8] = b"openssh-key-v1\0";
/// Encodings within encodings: base64 in base64 in JSON.
const MAX_DEPTH: usize = 4;
/// A secret of a key has at least so many digits of hexadecimal in one line; `openssl pkey -text` prints 15 bytes in a line.
const SECRET_DIGITS: usize = 28;

/// Whether a private key is in the content of a file. The words alone are none: OpenSSL prints "Private Key Usage Period".
pub(super) fn is_in(bytes: &[u8]) -> bool {
    is_within(bytes, MAX_DEPTH)
}

fn is_within(bytes: &[u8], depth: usize) -> bool {
    if bytes.starts_with(OPENSSH) || der::is_private_key(bytes) || der::has_private_key(bytes) {
        return true;
    }
    let raw = String::from_utf8_lossy(bytes);
    let text = unescape(&raw);
    if has_armour(&text) || has_labelled_secret(&text) || is_other_format(&text) {
        return true;
    }
    // The escapes of a program's string, \x2d for one, are hexadecimal digits.
    let decodings = || {
        let hex = encoded::hex_decodings(&text)
            .into_iter()
            .chain(encoded::hex_decodings(&raw));
        hex.chain(encoded::base64_decodings(&text))
    };
    depth > 0 && decodings().any(|decoded| is_within(&decoded, depth - 1))
}

/// Undoes what URLs, JSON, program sources, HTML and mails do to the signs that keys are made of.
fn unescape(text: &str) -> String {
    const SIGNS: [char; 9] = [' ', '-', '+', '/', '=', ':', '"', '\n', '\r'];
    const ESCAPES: [(&str, &str); 6] = [
        ("%", ""),
        ("=", ""),
        ("\\x", ""),
        ("\\u00", ""),
        ("&#x", ";"),
        ("&#", ";"),
    ];
    let mut plain = text
        .replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\/", "/")
        .replace("\\\"", "\"")
        .replace("&quot;", "\"")
        .replace("&nbsp;", " ");
    for (open, close) in ESCAPES {
        if !plain.contains(open) {
            continue;
        }
        for sign in SIGNS.map(|sign| (sign, u32::from(sign))) {
            let (sign, code) = (sign.0.to_string(), sign.1);
            let escapes = match open {
                "&#" => [format!("&#{code};"), format!("&#0{code};")],
                _ => [format!("{open}{code:02x}{close}"), format!("{open}{code:02X}{close}")],
            };
            plain = escapes.iter().fold(plain, |plain, escape| plain.replace(escape, &sign));
        }
    }
    plain
}

/// Whether a text has a key's BEGIN or END line in it, or a part of one, with other dashes or none.
fn has_armour(text: &str) -> bool {
    const WORDS: &str = "PRIVATE KEY";
    const KINDS: [&str; 9] = ["RSA", "EC", "DSA", "ANY", "ENCRYPTED", "OPENSSH", "SSH2", "TSS2", "PGP"];
    let upper = text
        .to_ascii_uppercase()
        .replace('\u{a0}', " ")
        .replace("PRIVATE+KEY", WORDS);
    upper.match_indices(WORDS).any(|(place, _)| {
        let after = upper.get(place + WORDS.len()..).unwrap_or_default();
        let after = after.strip_prefix(" BLOCK").unwrap_or(after);
        let mut before = upper.get(..place).unwrap_or_default().trim_end();
        while let Some(rest) = KINDS.iter().find_map(|kind| before.strip_suffix(kind)) {
            before = rest.trim_end();
        }
        let is_dash = |letter: char| letter == '-' || !letter.is_ascii();
        after.trim_start_matches(' ').starts_with(is_dash) || before.ends_with("BEGIN") || before.ends_with("END")
    })
}

/// Whether a label such as `priv:`, `privateExponent:` or `PrivateKey =` stands before a secret, as `openssl pkey -text`,
/// `certtool --key-info` and WireGuard write them.
fn has_labelled_secret(text: &str) -> bool {
    let mut lines = text
        .split(['\n', '\r'])
        .filter(|line| !line.trim().is_empty())
        .peekable();
    while let Some(line) = lines.next() {
        let Some((label, value)) = line.split_once([':', '=']) else {
            continue;
        };
        let is_labelled = label.to_ascii_lowercase().contains("priv");
        let is_below = value.trim().is_empty() && lines.peek().is_some_and(|below| is_hex_secret(below));
        if is_labelled && (is_below || is_hex_secret(value) || is_key_material(value)) {
            return true;
        }
    }
    false
}

fn is_hex_secret(value: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_hexdigit() || ": \t,".contains(letter);
    let digits = value.bytes().filter(u8::is_ascii_hexdigit).count();
    digits >= SECRET_DIGITS && value.trim().trim_matches(['"', '\'']).chars().all(is_part)
}

/// PuTTY's format, a JSON web key (RFC 7517), an XML key (XML Signature as .NET writes it).
fn is_other_format(text: &str) -> bool {
    let is_putty = text.contains("PuTTY-User-Key-File-") || text.contains("Private-Lines:");
    let is_xml = text.contains("KeyValue>") && text.contains("<D>");
    is_putty || is_xml || text.contains("kty") && has_private_member(text)
}

/// Whether a JSON web key has the member `d`, which only private keys have.
fn has_private_member(text: &str) -> bool {
    const SHORTEST: usize = 40;
    text.match_indices('d').any(|(place, _)| {
        let before = text.get(..place).and_then(|before| before.chars().next_back());
        let after = text.get(place + 1..).unwrap_or_default();
        let value = after.trim_start_matches(['"', '\'', ' ']).strip_prefix([':', '=']);
        let value = value
            .unwrap_or_default()
            .trim_start_matches(['"', '\'', ' ', '\n', '\r', '\t']);
        let is_part = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let is_name = before.is_none_or(|letter| !is_part(&letter));
        is_name && value.chars().take_while(is_part).count() >= SHORTEST
    })
}
