//! Secret values, which are wiped when they are dropped, and redacted in `Debug` output.
//!
//! Strings are [`secrecy::SecretString`]. [`SecretBody`] is the body of a response: created once, shared by connections without copies,
//! and wiped when the last of them is done.

use std::fmt;

use bytes::Bytes;
pub use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The secret body of a response, shared by all connections that send it.
#[derive(Clone)]
pub struct SecretBody(Bytes);

impl SecretBody {
    /// Takes ownership of the bytes. They are wiped when the last clone and the last [`Bytes`] created from it are dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Bytes::from_owner(Zeroizing::new(bytes)))
    }

    /// Returns the bytes, for a connection that may receive them.
    pub fn expose(&self) -> Bytes {
        self.0.clone()
    }
}

impl fmt::Debug for SecretBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[REDACTED {} bytes]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_is_redacted() {
        let body = SecretBody::new(b"hunter2".to_vec());
        assert_eq!(format!("{body:?}"), "[REDACTED 7 bytes]");
        assert_eq!(body.expose(), "hunter2");
    }
}
