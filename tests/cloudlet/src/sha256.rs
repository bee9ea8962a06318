//! SHA-256 in AWS's notation.

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

/// Returns the hash in lowercase hexadecimal, as in certificate IDs and SigV4.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}
