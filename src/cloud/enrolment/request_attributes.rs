//! The attributes that the server wants in a request, from its answer to `csrattrs` (RFC 8951, 3.5).

use super::ber::{BerError, Element, Elements, OBJECT_IDENTIFIER, SEQUENCE};
use super::pkcs7::decode_base64;
use crate::problem::Problem;

/// Maximum number of attributes. Real lists have about a dozen.
const MAX_ATTRIBUTES: usize = 64;
/// Content of 1.2.840.113549.1.9.7, challengePassword.
const CHALLENGE_PASSWORD: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07];

/// The attributes that a server wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestAttributes {
    /// Whether it wants challengePassword, which binds the request to its TLS connection.
    pub challenge_password: bool,
    /// Number of other attributes. They are advice (RFC 7030, 4.5.2); the CA decides about the content of a certificate.
    pub others: usize,
}

impl RequestAttributes {
    /// Parses the answer to `csrattrs`. An empty body asks for nothing.
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.trim_ascii().is_empty() {
            return Some(Self::default());
        }
        let bytes = decode_base64(body)?;
        Self::from_ber(&bytes).ok()
    }

    fn from_ber(bytes: &[u8]) -> Result<Self, BerError> {
        let mut entries = Elements::new(bytes).expect(SEQUENCE)?.children();
        let mut found = Self::default();
        for _ in 0..MAX_ATTRIBUTES {
            let Some(entry) = entries.next()? else {
                return Ok(found);
            };
            match identifier(&entry)? {
                CHALLENGE_PASSWORD => found.challenge_password = true,
                _ => found.others += 1,
            }
        }
        Err(BerError)
    }

    /// Returns a problem if the server wants an attribute that gatepost cannot provide.
    pub fn problem(&self, server: &str) -> Option<Problem> {
        self.challenge_password.then(|| {
            Problem::configuration(format!(
                "{server} asks for challengePassword in the request, which proves that request and TLS connection belong together by \
                 tls-unique; TLS 1.3 has no such value"
            ))
            .next("switch that demand off at the EST server (RFC 7030 calls it proof-of-possession linking)")
        })
    }
}

/// Returns the identifier of an entry, which is a bare identifier or the first element of an attribute.
fn identifier<'a>(entry: &Element<'a>) -> Result<&'a [u8], BerError> {
    match entry.tag {
        OBJECT_IDENTIFIER => Ok(entry.content),
        SEQUENCE => Ok(entry.children().expect(OBJECT_IDENTIFIER)?.content),
        _ => Err(BerError),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use super::*;

    fn found(challenge_password: bool, others: usize) -> Option<RequestAttributes> {
        Some(RequestAttributes {
            challenge_password,
            others,
        })
    }

    #[test]
    fn requested_attributes_are_read_and_nonsense_is_ignored() {
        // RFC 7030, 4.5.2: challengePassword, and attributes with values.
        let example = "MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw==";
        for (body, expected) in [
            (String::new(), found(false, 0)),
            (" \r\n".to_owned(), found(false, 0)),
            ("MAA=".to_owned(), found(false, 0)),
            (example.to_owned(), found(true, 3)),
            (example.replace('G', "G\r\n"), found(true, 3)),
            ("MAsGCSqGSIb3DQEJBw==".to_owned(), found(true, 0)),
            (BASE64.encode([0x30, 0x80, 6, 1, 0x2a, 0, 0]), found(false, 1)),
            ("MAsGCSqGSIb3DQEJ".to_owned(), None),
            ("<html>".to_owned(), None),
            (BASE64.encode([0x30, 3, 2, 1, 5]), None),
            (BASE64.encode([6, 1, 0x2a]), None),
            (
                BASE64.encode([&[0x30, 0x81, 195][..], &[6, 1, 0x2a].repeat(65)].concat()),
                None,
            ),
        ] {
            assert_eq!(RequestAttributes::parse(body.as_bytes()), expected, "{body}");
        }
        assert!(found(true, 1).unwrap().problem("est.example").is_some());
        assert_eq!(found(false, 9).unwrap().problem("est.example"), None);
    }
}
