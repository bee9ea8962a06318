//! Bytes that must not be seen: wiped when dropped, redacted in every `Debug`.
//!
//! Strings are [`secrecy::SecretString`]; this file adds the shape a socket answer needs: one body, made once, handed to
//! many connections without a copy, and wiped when the last of them is done.

use std::fmt;

use bytes::Bytes;
pub use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// A secret answer body, shared by every connection that sends it.
#[derive(Clone)]
pub struct SecretBody(Bytes);

impl SecretBody {
    /// Takes the bytes over; they are wiped when the last clone and the last [`Bytes`] made from it are gone.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Bytes::from_owner(Zeroizing::new(bytes)))
    }

    /// The bytes, for the connection that may see them.
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
    fn debug_says_nothing() {
        let body = SecretBody::new(b"hunter2".to_vec());
        assert_eq!(format!("{body:?}"), "[REDACTED 7 bytes]");
        assert_eq!(body.expose(), "hunter2");
    }
}
