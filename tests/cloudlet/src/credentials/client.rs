//! The device that requests credentials.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::account::CertificateId;
use crate::x509::ParsedCertificate;

/// A connection whose client certificate was accepted.
pub(super) struct Client {
    pub(super) id: CertificateId,
    pub(super) certificate: Arc<ParsedCertificate>,
    pub(super) peer: SocketAddr,
    /// Set to make the connection send bytes that are not HTTP.
    pub(super) garbage: Arc<AtomicBool>,
}
