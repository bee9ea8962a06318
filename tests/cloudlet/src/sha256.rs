//! SHA-256 as AWS writes it.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

/// In lowercase hexadecimal: how AWS IoT names certificates, and how SigV4 names a request's parts.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}
