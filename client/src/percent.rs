//! Percent-encoding (RFC 3986) of command-line words, for paths and query strings.

/// Encodes everything except for the unreserved characters.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut encoded = String::new();
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Appends the parameters that have a value to `path`.
pub(crate) fn with_query(path: String, parameters: &[(&str, Option<&[u8]>)]) -> String {
    let mut target = path;
    let mut separator = '?';
    for (name, value) in parameters {
        if let Some(value) = value {
            target.push_str(&format!("{separator}{name}={}", encode(value)));
            separator = '&';
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::{encode, with_query};

    #[test]
    fn names_are_percent_encoded() {
        for (name, encoded) in [
            ("Telemetry_1-2.3~", "Telemetry_1-2.3~"),
            ("a=b,c@d", "a%3Db%2Cc%40d"),
            ("../status?x#y", "..%2Fstatus%3Fx%23y"),
            ("{thing}/+/#", "%7Bthing%7D%2F%2B%2F%23"),
            ("a b\r\nHost: ä", "a%20b%0D%0AHost%3A%20%C3%A4"),
        ] {
            assert_eq!(encode(name.as_bytes()), encoded);
        }
    }

    #[test]
    fn a_query_has_what_has_a_value() {
        assert_eq!(with_query("/a".to_owned(), &[("b", None)]), "/a");
        let all = [("b", Some(&b"1"[..])), ("c", None), ("d", Some(b"x&y=z"))];
        assert_eq!(with_query("/a".to_owned(), &all), "/a?b=1&d=x%26y%3Dz");
    }
}
