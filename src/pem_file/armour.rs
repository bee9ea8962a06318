//! Finds the blocks of a PEM file (RFC 7468), read with patience for white space.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

use super::{Content, PemFile, der};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// A block that has begun.
struct Open {
    label: String,
    line: usize,
    base64: String,
}

/// Returns the certificates among the blocks; `None` if there is no certificate and no other block.
pub(super) fn read(bytes: &[u8]) -> Result<Option<PemFile>, Content> {
    // Text around the blocks may be in any encoding.
    let text = String::from_utf8_lossy(bytes);
    let mut certificates = Vec::new();
    let mut others: Vec<Content> = Vec::new();
    let mut open: Option<Open> = None;
    for (number, line) in lines(&text) {
        match (boundary(line, BEGIN), boundary(line, END), open.take()) {
            (Some(label), _, None) => {
                open = Some(Open {
                    label: label.to_owned(),
                    line: number,
                    base64: String::new(),
                });
            }
            (Some(_), _, Some(_)) | (_, Some(_), None) => return Err(Content::Cut),
            (_, Some(label), Some(block)) if label == block.label => {
                match certificate(&block, certificates.len() + 1) {
                    Some(certificate) => certificates.push(certificate?),
                    None => others.push(other_content(label)),
                }
            }
            (_, Some(_), Some(block)) => return Err(Content::Damaged(block.line)),
            (None, None, Some(mut block)) => {
                block.base64.extend(line.split_whitespace());
                open = Some(block);
            }
            (None, None, None) => {}
        }
    }
    if open.is_some() {
        return Err(Content::Cut);
    }
    // Where certificates are in another form, what is left of them would be half of the truth.
    let in_the_way = |content: &&Content| matches!(content, Content::TrustedCertificate | Content::Pkcs7);
    if let Some(content) = others.iter().find(in_the_way) {
        return Err(*content);
    }
    match (
        certificates.is_empty(),
        others.iter().min_by_key(|content| rank(content)),
    ) {
        (false, _) => Ok(Some(PemFile {
            certificates,
            has_private_key: others.contains(&Content::PrivateKey),
        })),
        (true, Some(content)) => Err(*content),
        (true, None) => Ok(None),
    }
}

/// The lines with their numbers from 1, without the white space around them. What `cat` makes of two files, the first of which
/// ends without a line break, is two lines.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let whole = text.split("\r\n").flat_map(|part| part.split(['\n', '\r']));
    whole.enumerate().flat_map(|(index, line)| {
        let line = line.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
        let joined = line.find("----------BEGIN ").filter(|_| line.starts_with(END));
        let (first, second) = line.split_at(joined.map_or(line.len(), |place| place + DASHES.len()));
        let second = Some(second.trim()).filter(|second| !second.is_empty());
        [Some(first), second]
            .into_iter()
            .flatten()
            .map(move |line| (index + 1, line))
    })
}

/// The label of a BEGIN or END line; a whole block in one line is no such line.
fn boundary<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    let label = line.strip_prefix(kind)?.strip_suffix(DASHES)?;
    (!label.contains("--")).then_some(label)
}

/// The certificate in a block with that label; `None` for a block with another one.
fn certificate(block: &Open, number: usize) -> Option<Result<CertificateDer<'static>, Content>> {
    if !matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE") {
        return None;
    }
    let Ok(bytes) = STANDARD.decode(&block.base64) else {
        return Some(Err(Content::Damaged(block.line)));
    };
    Some(match der::split_certificate(&bytes) {
        Some((_, [])) => Ok(CertificateDer::from(bytes)),
        Some(_) => Err(Content::NotX509(number)),
        None => Err(match der::content(&bytes) {
            Content::Binary | Content::Cut => Content::NotX509(number),
            content => content,
        }),
    })
}

fn other_content(label: &str) -> Content {
    match label {
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Content::SigningRequest,
        "TRUSTED CERTIFICATE" => Content::TrustedCertificate,
        "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" | "CERTIFICATE CHAIN" => Content::Pkcs7,
        "PUBLIC KEY" | "RSA PUBLIC KEY" => Content::PublicKey,
        "X509 CRL" => Content::RevocationList,
        label if label.contains("PRIVATE KEY") => Content::PrivateKey,
        _ => Content::OtherBlocks,
    }
}

/// What to name first, where there are several.
fn rank(content: &Content) -> usize {
    let order = [Content::PrivateKey, Content::SigningRequest, Content::PublicKey];
    order.iter().position(|known| known == content).unwrap_or(order.len())
}
