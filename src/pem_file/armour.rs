//! Parses the blocks of a PEM file (RFC 7468), and tolerates white space.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

use super::{Content, PemFile, der};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// A block whose END line was not read yet.
struct OpenBlock {
    label: String,
    line: usize,
    base64: String,
}

/// Returns the certificates among the blocks; `None` if there are no blocks.
///
/// # Errors
/// If a block is damaged, or the blocks are of other kinds.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<PemFile>, Content> {
    // Text around the blocks may be in any encoding.
    let text = String::from_utf8_lossy(bytes);
    let mut certificates = Vec::new();
    let mut others: Vec<Content> = Vec::new();
    let mut open: Option<OpenBlock> = None;
    for (number, line) in split_lines(&text) {
        match (find_label(line, BEGIN), find_label(line, END), open.take()) {
            (Some(label), _, None) => {
                open = Some(OpenBlock {
                    label: label.to_owned(),
                    line: number,
                    base64: String::new(),
                });
            }
            (Some(_), _, Some(_)) | (_, Some(_), None) => return Err(Content::Cut),
            (_, Some(label), Some(block)) if label == block.label => {
                match decode_certificate(&block, certificates.len() + 1) {
                    Some(certificate) => certificates.push(certificate?),
                    None => others.push(identify_block(label)),
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
    // If some of the certificates are in another form, the others alone would be incomplete.
    let has_certificates = |content: &&Content| matches!(content, Content::TrustedCertificate | Content::Pkcs7);
    if let Some(content) = others.iter().find(has_certificates) {
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

/// Splits text into trimmed lines, numbered from 1. If `cat` has joined an END line with the BEGIN line of the next file, they
/// are two lines.
fn split_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
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

/// Returns the label of a BEGIN or END line; `None` for other lines, including a whole block in one line.
fn find_label<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    let label = line.strip_prefix(kind)?.strip_suffix(DASHES)?;
    (!label.contains("--")).then_some(label)
}

/// Decodes the certificate in a block; `None` if the label is that of another kind of block.
fn decode_certificate(block: &OpenBlock, number: usize) -> Option<Result<CertificateDer<'static>, Content>> {
    if !matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE") {
        return None;
    }
    let Ok(bytes) = STANDARD.decode(&block.base64) else {
        return Some(Err(Content::Damaged(block.line)));
    };
    Some(match der::split_certificate(&bytes) {
        Some((_, [])) => Ok(CertificateDer::from(bytes)),
        Some(_) => Err(Content::NotX509(number)),
        None => Err(match der::identify(&bytes) {
            Content::Binary | Content::Cut => Content::NotX509(number),
            content => content,
        }),
    })
}

/// Determines the content of another block by its label.
fn identify_block(label: &str) -> Content {
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

/// Ranks the content of other blocks, of which the message names the first.
fn rank(content: &Content) -> usize {
    let order = [Content::PrivateKey, Content::SigningRequest, Content::PublicKey];
    order.iter().position(|known| known == content).unwrap_or(order.len())
}
