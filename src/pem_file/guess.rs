//! Names a text without any PEM block.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Content, der, marks};

/// Base64 of fewer bytes is no certificate and no key.
const SHORTEST: usize = 40;

/// Returns the kind of content of a text without a complete BEGIN line.
pub(super) fn content(bytes: &[u8]) -> Content {
    if let Some(content) = by_signature(bytes) {
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
    if let Some(content) = marks::content(text) {
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
    if let Some(bytes) = bare_base64(text) {
        return match der::split_certificate(&bytes) {
            Some(_) => Content::BareBase64,
            None => match der::content(&bytes) {
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

/// Returns the kind of content of a text in which only some lines look like BEGIN and END lines: if one of a pair was altered, the
/// other looks incomplete.
pub(super) fn altered(text: &str) -> Option<Content> {
    let is_request = text.contains("CERTIFICATE REQUEST") && !text.contains("BEGIN CERTIFICATE-");
    marks::content(text).or(is_request.then_some(Content::SigningRequest))
}

/// Whether a text says that a private key is in it, or is the base64 of one.
pub(super) fn has_private_key(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.to_ascii_uppercase().contains("PRIVATE KEY")
        || bare_base64(text.trim()).is_some_and(|bytes| der::content(&bytes) == Content::PrivateKey)
}

/// Whether a private key that is no PEM block stands beside the certificates: its lines joined or escaped, its base64 alone, or the
/// base64 of its PEM. The words alone are none; OpenSSL prints "Private Key Usage Period".
pub(super) fn has_loose_private_key(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut run = String::new();
    for line in text.split(['\n', '\r']).chain([""]) {
        // `key = MIGH...`, `"MIGH..."`: the base64 is the last word of the line.
        let word = line
            .trim()
            .rsplit([' ', '\t', ':', '"', '\''])
            .find(|word| !word.is_empty());
        let word = word.unwrap_or_default();
        let is_base64 = word.len() > 3
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        if is_base64 {
            run.push_str(word);
        } else if !run.is_empty() && is_encoded_key(&std::mem::take(&mut run)) {
            return true;
        }
    }
    has_key_armour(&text)
}

/// Whether base64 is that of a private key, as DER or as PEM.
fn is_encoded_key(base64: &str) -> bool {
    bare_base64(base64).is_some_and(|bytes| {
        der::content(&bytes) == Content::PrivateKey || has_key_armour(&String::from_utf8_lossy(&bytes))
    })
}

/// Whether a text has the end of a key's BEGIN or END line in it, URL-encoded or with other dashes too.
fn has_key_armour(text: &str) -> bool {
    const WORDS: &str = "PRIVATE KEY";
    let upper = text
        .to_ascii_uppercase()
        .replace("%20", " ")
        .replace("PRIVATE+KEY", WORDS);
    upper.match_indices(WORDS).any(|(place, _)| {
        let rest = upper.get(place + WORDS.len()..).unwrap_or_default();
        rest.starts_with('-') || rest.starts_with("%2D") || rest.starts_with(|letter: char| !letter.is_ascii())
    })
}

fn by_signature(bytes: &[u8]) -> Option<Content> {
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

fn bare_base64(text: &str) -> Option<Vec<u8>> {
    let joined: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(joined).ok()?;
    (bytes.len() >= SHORTEST).then_some(bytes)
}
