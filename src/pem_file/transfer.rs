//! Recognises the encodings that mails and web pages apply to a whole text.

use super::{Content, armour};

/// Finds the encoding of a text that is a file of certificates once decoded; `None` if there is none.
pub(super) fn find_encoding(text: &str) -> Option<Content> {
    type Decode = fn(&str) -> Option<Vec<u8>>;
    let decoders: [(Content, Decode); 2] = [
        (Content::QuotedPrintable, decode_quoted_printable),
        (Content::HtmlEscaped, decode_html),
    ];
    decoders.into_iter().find_map(|(content, decode)| {
        let decoded = decode(text)?;
        armour::parse(&decoded).ok().flatten().map(|_| content)
    })
}

/// Decodes quoted-printable (RFC 2045, 6.7); `None` if nothing is encoded.
fn decode_quoted_printable(text: &str) -> Option<Vec<u8>> {
    const MARK: &[u8] = b"-----";
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'=', [b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) => {
                // Here the equals sign is unencoded padding, or follows a BEGIN line that must not be joined with the next line.
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
                decoded.push(parse_hex_digit(*high) << 4 | parse_hex_digit(*low));
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

fn parse_hex_digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte.wrapping_sub(b'A').wrapping_add(10),
    }
}

/// Decodes the HTML references for characters of a PEM file; `None` if there are none.
fn decode_html(text: &str) -> Option<Vec<u8>> {
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
