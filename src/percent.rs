//! Strict percent-decoding (RFC 3986, 2.1): a "%" without two hex digits is refused, not passed through.

/// Returns the decoded bytes; `None` if a "%" is not followed by two hex digits.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_escapes_are_refused() {
        assert_eq!(decode("a%2Fb%00%ff+").unwrap(), b"a/b\0\xff+");
        for bad in ["%", "%2", "%zz", "%2g", "%%20", "%+1"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
