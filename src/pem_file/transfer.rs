//! Names the encodings that mails and web pages put over a whole text.

use super::{Content, armour};

/// The encoding under which a text is a file of certificates; `None` if it is none even when decoded.
pub(super) fn encoding(text: &str) -> Option<Content> {
    type Decode = fn(&str) -> Option<Vec<u8>>;
    let decoders: [(Content, Decode); 2] = [
        (Content::QuotedPrintable, quoted_printable),
        (Content::HtmlEscaped, html),
    ];
    decoders.into_iter().find_map(|(content, decode)| {
        let decoded = decode(text)?;
        armour::read(&decoded).ok().flatten().map(|_| content)
    })
}

/// Decodes quoted-printable (RFC 2045, 6.7); `None` where nothing is encoded.
fn quoted_printable(text: &str) -> Option<Vec<u8>> {
    const MARK: &[u8] = b"-----";
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'=', [b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) => {
                // Padding that was left as it is, and a BEGIN line that would be lost if it were joined with the next one.
                let is_at_mark = [MARK, b"=2D", b"=2d"].iter().any(|mark| after.starts_with(mark));
                match (is_at_mark, decoded.ends_with(MARK)) {
                    (true, _) => decoded.extend(b"=\n"),
                    (false, true) => decoded.push(b'\n'),
                    (false, false) => {}
                }
                after
            }
            (b'=', []) => after,
            (b'=', [high, low, after @ ..]) if is_hex(*high) && is_hex(*low) => {
                decoded.push(digit(*high) << 4 | digit(*low));
                after
            }
            (byte, after) => {
                decoded.push(byte);
                after
            }
        };
    }
    (decoded != text.as_bytes()).then_some(decoded)
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte.wrapping_sub(b'A').wrapping_add(10),
    }
}

/// Decodes the character references of HTML that a PEM file's signs are written as; `None` where there is none.
fn html(text: &str) -> Option<Vec<u8>> {
    const SIGNS: [char; 8] = ['-', '+', '/', '=', ' ', ':', '\n', '\r'];
    const NAMES: [(&str, &str); 6] = [
        ("&nbsp;", " "),
        ("&plus;", "+"),
        ("&sol;", "/"),
        ("&equals;", "="),
        ("&hyphen;", "-"),
        ("&NewLine;", "\n"),
    ];
    if !text.contains('&') {
        return None;
    }
    let mut decoded = NAMES
        .iter()
        .fold(text.to_owned(), |text, (name, sign)| text.replace(name, sign));
    for sign in SIGNS {
        let code = u32::from(sign);
        for reference in [
            format!("&#{code};"),
            format!("&#x{code:x};"),
            format!("&#x{code:X};"),
            format!("&#0{code};"),
        ] {
            decoded = decoded.replace(&reference, &sign.to_string());
        }
    }
    Some(decoded.into_bytes())
}
