//! The certificates that were found in a file.

use rustls::pki_types::CertificateDer;

/// The certificates of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct PemFile {
    /// The certificates in the order of the file, at least one.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Whether the file has a private key as well.
    pub has_private_key: bool,
}
