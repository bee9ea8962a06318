//! Finds a private key in a file, in any form.
//!
//! A key beside a certificate is as compromised in base64, hexadecimal digits or JSON as it is in a PEM block.

use super::{der, encoded};
use crate::foreign_text::is_key_material;

/// The beginning of an OpenSSH private key, decoded from base64.
const OPENSSH: &[u8] = b"openssh-key-v1\0";
/// The deepest nesting of encodings, such as base64 in base64 in JSON.
const MAX_DEPTH: usize = 4;
/// The fewest hexadecimal digits in a line of a secret; `openssl pkey -text` prints 15 bytes in a line.
const SECRET_DIGITS: usize = 28;

/// Returns whether the content of a file contains a private key. The words alone do not count: OpenSSL prints "Private Key Usage Period".
pub(super) fn is_contained(bytes: &[u8]) -> bool {
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
    // The raw text is decoded as well, because escapes such as \x2d contain hexadecimal digits.
    let decodings = || {
        let hex = encoded::decode_hex(&text).into_iter().chain(encoded::decode_hex(&raw));
        hex.chain(encoded::decode_base64(&text))
    };
    depth > 0 && decodings().any(|decoded| is_within(&decoded, depth - 1))
}

/// Decodes the escapes of URLs, JSON, source code, HTML and mails for the characters of keys.
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

/// Returns whether a text contains a BEGIN or END line of a key, or a part of one, perhaps with altered dashes.
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

/// Returns whether a text contains a secret after a label such as `priv:`, `privateExponent:` or `PrivateKey =`, as `openssl pkey -text`,
/// `certtool --key-info` and WireGuard write it.
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

/// Returns whether a text is a key in PuTTY's format, a JSON web key (RFC 7517), or an XML key (XML Signature, as .NET writes it).
fn is_other_format(text: &str) -> bool {
    let is_putty = text.contains("PuTTY-User-Key-File-") || text.contains("Private-Lines:");
    let is_xml = text.contains("KeyValue>") && text.contains("<D>");
    is_putty || is_xml || text.contains("kty") && has_private_member(text)
}

/// Returns whether a JSON web key has the member `d`, which only private keys have.
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
