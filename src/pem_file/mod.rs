//! Reads files of certificates in the forms that occur in practice, describes other files, and writes PEM.
//!
//! A byte order mark, UTF-16, CRLF, indentation, text around the blocks, a missing last line break, two files joined without
//! one, the label X509 CERTIFICATE and plain DER are accepted. Everything else is refused with its kind (see [`Content`]) and
//! never with its content, because it may be a private key.

mod armour;
mod certificates;
mod content;
mod der;
mod encode;
mod encoded;
mod guess;
mod marks;
mod private_key;
mod transfer;

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::Path;

use rustls::pki_types::CertificateDer;

pub use certificates::PemFile;
pub use content::Content;
pub use encode::encode;

use crate::foreign_text;
use crate::problem::Problem;
use crate::regular_file::{self, FileError};

/// The largest file. Debian's bundle of all roots has a fifth of this size.
const MAX_SIZE: u64 = 1024 * 1024;

/// The reason why certificates cannot be read from a file.
#[derive(Debug)]
pub enum ReadError {
    /// There is no file.
    Missing,
    /// The caller may not read it.
    Denied(String),
    /// The system cannot read it.
    Unreadable(String),
    /// It is a folder, a pipe, a socket or a device.
    NotAFile,
    /// It has no certificates, or unusable ones.
    NoCertificates(Content),
}

impl ReadError {
    /// Describes the file with a phrase such as "is" or "has" that follows its path.
    pub fn describe(&self) -> String {
        match self {
            Self::Missing => "does not exist".to_owned(),
            Self::Denied(why) | Self::Unreadable(why) => format!("cannot be read: {why}"),
            Self::NotAFile => "cannot be read: it is not a regular file".to_owned(),
            Self::NoCertificates(content) => content.to_string(),
        }
    }

    /// Describes it as a problem: `message` ends with [`describe`](Self::describe).
    pub fn to_problem(&self, message: String, next_step: impl Into<String>) -> Problem {
        Problem {
            is_denied: matches!(self, Self::Denied(_)),
            ..Problem::configuration(message).next(next_step)
        }
    }

    /// Returns the next step.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Missing => "put it there, or correct the path in the configuration",
            Self::Denied(_) | Self::Unreadable(_) => "make it readable for gatepost's user",
            Self::NotAFile => "put the certificate there as a plain file",
            Self::NoCertificates(content) => content.next_step(),
        }
    }
}

/// Reads the file at `path`.
///
/// # Errors
/// If it cannot be read or has no certificates.
pub fn read(path: &Path) -> Result<PemFile, ReadError> {
    let bytes = regular_file::read(path, MAX_SIZE).map_err(|error| match error {
        FileError::Io(error) if error.kind() == ErrorKind::NotFound => ReadError::Missing,
        FileError::Io(error) if error.kind() == ErrorKind::PermissionDenied => {
            ReadError::Denied(foreign_text::clean(error))
        }
        FileError::Io(error) => ReadError::Unreadable(foreign_text::clean(error)),
        FileError::NotAFile => ReadError::NotAFile,
        FileError::TooLarge => ReadError::NoCertificates(Content::TooLarge),
    })?;
    parse(&bytes).map_err(ReadError::NoCertificates)
}

/// Finds the certificates in the content of a file.
///
/// # Errors
/// With the kind of its content.
pub fn parse(bytes: &[u8]) -> Result<PemFile, Content> {
    let text = decode_text(bytes)?;
    if text.trim_ascii().is_empty() {
        return Err(Content::Empty);
    }
    if der::is_der(&text) {
        return parse_der(&text);
    }
    let has_private_key = private_key::is_contained(&text);
    let found = armour::parse(&text).and_then(|found| found.ok_or_else(|| guess::identify(&text)));
    let found = found.map_err(|content| {
        let words = String::from_utf8_lossy(&text);
        transfer::find_encoding(&words).unwrap_or_else(|| match content {
            Content::Cut | Content::OtherBlocks => guess::identify_altered(&words).unwrap_or(content),
            // If one of them was altered, the END line does not match the BEGIN line.
            Content::Damaged(_) => guess::identify_altered(&words)
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
        // If the file has a private key in it, that is the most important fault.
        Err(_) if has_private_key => Err(Content::PrivateKey),
        Err(content) => Err(content),
    }
}

/// Removes a byte order mark, and decodes UTF-16, which PowerShell's `>` writes.
fn decode_text(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Content> {
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return Ok(Cow::Borrowed(rest));
    }
    let little = |rest: &[u8]| decode_utf16(rest, u16::from_le_bytes);
    let big = |rest: &[u8]| decode_utf16(rest, u16::from_be_bytes);
    match bytes {
        [0xff, 0xfe, rest @ ..] => little(rest),
        [0xfe, 0xff, rest @ ..] => big(rest),
        // The beginnings of text, which are never the beginning of DER.
        [b'-' | b'\n' | b'\r' | b' ', 0, ..] => little(bytes),
        [0, b'-' | b'\n' | b'\r' | b' ', ..] => big(bytes),
        _ => Ok(Cow::Borrowed(bytes)),
    }
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, [u8]>, Content> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    match String::from_utf16(&units) {
        Ok(text) if rest.is_empty() => Ok(Cow::Owned(text.into_bytes())),
        _ => Err(Content::DamagedUtf16),
    }
}

/// Parses concatenated DER certificates. PEM blocks or a key may follow them, because `cat` joins files.
fn parse_der(bytes: &[u8]) -> Result<PemFile, Content> {
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
        let content = der::identify(rest);
        return Err(if private_key::is_contained(rest) {
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
