//! The reason why a text is not a usable `pkcs11:` URI.

use std::fmt;

/// The reason why a text is not a usable `pkcs11:` URI. It never repeats a value, which might be a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriError(pub(super) String);

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UriError {}
