//! Identifies text without PEM blocks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Content, der, marks};

/// The shortest base64 that may be a certificate or a key, in bytes.
const SHORTEST: usize = 40;

/// Identifies the content of a text without a complete BEGIN line.
pub(super) fn identify(bytes: &[u8]) -> Content {
    if let Some(content) = identify_by_signature(bytes) {
        return content;
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    let has = |words: &str| text.contains(words);
    match text.chars().next() {
        Some('{' | '[') if has("certificatePem") => return Content::AwsJson,
        Some('{' | '[') => return Content::Json,
        Some('<') => return Content::Markup,
        _ => {}
    }
    if has("BEGIN CERTIFICATE REQUEST") || has("BEGIN NEW CERTIFICATE REQUEST") {
        return Content::SigningRequest;
    }
    if let Some(content) = marks::identify(text) {
        return content;
    }
    if has("BEGIN ") && has("\\n") {
        return Content::EscapedLineBreaks;
    }
    if has("BEGIN%20CERTIFICATE") || has("BEGIN+CERTIFICATE") {
        return Content::UrlEncoded;
    }
    if has("BEGIN CERTIFICATE") || has("END CERTIFICATE") || has("BEGIN X509 CERTIFICATE") {
        return Content::ChangedMarks;
    }
    if let Some(bytes) = decode_bare_base64(text) {
        return match der::split_certificate(&bytes) {
            Some(_) => Content::BareBase64,
            None => match der::identify(&bytes) {
                Content::Pkcs7Der => Content::Pkcs7,
                Content::Binary => Content::Text,
                content => content,
            },
        };
    }
    match bytes.contains(&0) {
        true => Content::Binary,
        false => Content::Text,
    }
}

/// Identifies the content of a text in which only some lines are BEGIN and END lines: if one line of a pair was altered, the block
/// looks incomplete.
pub(super) fn identify_altered(text: &str) -> Option<Content> {
    let is_request = text.contains("CERTIFICATE REQUEST") && !text.contains("BEGIN CERTIFICATE-");
    marks::identify(text).or(is_request.then_some(Content::SigningRequest))
}

fn identify_by_signature(bytes: &[u8]) -> Option<Content> {
    match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] => Some(Content::KeyStore),
        // gzip, zip, xz, PDF, ELF
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] | [0xfd, b'7', b'z', ..] | [0x7f, b'E', b'L', b'F', ..] => {
            Some(Content::Binary)
        }
        [b'%', b'P', b'D', b'F', ..] => Some(Content::Binary),
        _ => None,
    }
}

fn decode_bare_base64(text: &str) -> Option<Vec<u8>> {
    let joined: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(joined).ok()?;
    (bytes.len() >= SHORTEST).then_some(bytes)
}
