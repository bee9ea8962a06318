//! Reads files of certificates as people have them, and names what is no certificate.
//!
//! A byte order mark, UTF-16, CRLF, indentation, text around the blocks, a missing last line break, two files joined without
//! one, the label X509 CERTIFICATE and plain DER are read as what they plainly are. Everything else is refused by its name
//! (see [`Content`]) and never by its content, because it may be a private key.

mod armour;
mod content;
mod der;
mod encoded;
mod guess;
mod marks;
mod private_key;
mod transfer;

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::Path;

use rustls::pki_types::CertificateDer;

pub use content::Content;

use crate::foreign_text;
use crate::regular_file::{self, FileError};

/// Debian's bundle of all roots has a fifth of this.
const MAX_SIZE: u64 = 1024 * 1024;

/// The certificates of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct PemFile {
    /// In the order of the file; at least one.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Whether a private key stands beside them.
    pub has_private_key: bool,
}

/// Why a file gives no certificates.
#[derive(Debug)]
pub enum ReadError {
    /// There is none.
    Missing,
    /// The system does not give it.
    Unreadable(String),
    /// It is a folder, a pipe, a socket or a device.
    NotAFile,
    /// It is something else.
    NoCertificates(Content),
}

impl ReadError {
    /// Says what the file "is" or "has", to follow its path.
    pub fn what(&self) -> String {
        match self {
            Self::Missing => "does not exist".to_owned(),
            Self::Unreadable(why) => format!("cannot be read: {why}"),
            Self::NotAFile => "cannot be read: it is no regular file".to_owned(),
            Self::NoCertificates(content) => content.to_string(),
        }
    }

    /// What to do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Missing => "put it there, or correct the path in the configuration",
            Self::Unreadable(_) => "make it readable for gatepost's user",
            Self::NotAFile => "put the certificate there as a plain file",
            Self::NoCertificates(content) => content.next_step(),
        }
    }
}

/// Reads the file at `path`.
///
/// # Errors
/// When it cannot be read or has no certificates.
pub fn read(path: &Path) -> Result<PemFile, ReadError> {
    let bytes = regular_file::read(path, MAX_SIZE).map_err(|error| match error {
        FileError::Io(error) if error.kind() == ErrorKind::NotFound => ReadError::Missing,
        FileError::Io(error) => ReadError::Unreadable(foreign_text::clean(error)),
        FileError::NotAFile => ReadError::NotAFile,
        FileError::TooLarge => ReadError::NoCertificates(Content::TooLarge),
    })?;
    parse(&bytes).map_err(ReadError::NoCertificates)
}

/// Finds the certificates in the content of a file.
///
/// # Errors
/// With what it has instead.
pub fn parse(bytes: &[u8]) -> Result<PemFile, Content> {
    let text = text_of(bytes)?;
    if text.trim_ascii().is_empty() {
        return Err(Content::Empty);
    }
    if der::is_der(&text) {
        return from_der(&text);
    }
    let has_private_key = private_key::is_in(&text);
    let found = armour::read(&text).and_then(|found| found.ok_or_else(|| guess::content(&text)));
    let found = found.map_err(|content| {
        let words = String::from_utf8_lossy(&text);
        transfer::encoding(&words).unwrap_or_else(|| match content {
            Content::Cut | Content::OtherBlocks => guess::altered(&words).unwrap_or(content),
            // The END line does not fit the BEGIN line, if one of them was changed.
            Content::Damaged(_) => guess::altered(&words)
                .filter(|other| *other == Content::ChangedMarks)
                .unwrap_or(content),
            content => content,
        })
    });
    match found {
        Ok(mut file) => {
            file.has_private_key |= has_private_key;
            Ok(file)
        }
        // Whatever else is wrong with a file that has a key in it, the key is what matters.
        Err(_) if has_private_key => Err(Content::PrivateKey),
        Err(content) => Err(content),
    }
}

/// The text without a byte order mark, and out of UTF-16 where it is that (PowerShell's `>` writes it).
fn text_of(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Content> {
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return Ok(Cow::Borrowed(rest));
    }
    let little = |rest: &[u8]| utf16(rest, u16::from_le_bytes);
    let big = |rest: &[u8]| utf16(rest, u16::from_be_bytes);
    match bytes {
        [0xff, 0xfe, rest @ ..] => little(rest),
        [0xfe, 0xff, rest @ ..] => big(rest),
        // "-" and a line break, which begin no DER.
        [b'-' | b'\n' | b'\r' | b' ', 0, ..] => little(bytes),
        [0, b'-' | b'\n' | b'\r' | b' ', ..] => big(bytes),
        _ => Ok(Cow::Borrowed(bytes)),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, [u8]>, Content> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    match String::from_utf16(&units) {
        Ok(text) if rest.is_empty() => Ok(Cow::Owned(text.into_bytes())),
        _ => Err(Content::DamagedUtf16),
    }
}

/// One certificate after the other, as DER. PEM blocks or a key may follow, as `cat` joins them.
fn from_der(bytes: &[u8]) -> Result<PemFile, Content> {
    let mut file = PemFile {
        certificates: Vec::new(),
        has_private_key: false,
    };
    let mut rest = bytes;
    while let Some((certificate, after)) = der::split_certificate(rest) {
        file.certificates.push(CertificateDer::from(certificate.to_vec()));
        rest = after;
    }
    if file.certificates.is_empty() {
        let content = der::content(rest);
        return Err(if private_key::is_in(rest) {
            Content::PrivateKey
        } else {
            content
        });
    }
    if rest.trim_ascii().is_empty() {
        return Ok(file);
    }
    match parse(rest) {
        Ok(more) => {
            file.certificates.extend(more.certificates);
            file.has_private_key = more.has_private_key;
            Ok(file)
        }
        Err(Content::PrivateKey) => {
            file.has_private_key = true;
            Ok(file)
        }
        Err(content) => Err(content),
    }
}

#[cfg(test)]
mod tests;
