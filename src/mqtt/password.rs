//! Secret fields of CONNECT and AUTH.

use bytes::Bytes;
use subtle::ConstantTimeEq as _;

use crate::secret::SecretBody;

/// A password, which is redacted when shown and compared in constant time.
#[derive(Clone, Debug)]
pub struct Password(SecretBody);

impl Password {
    /// Creates a password from bytes, which are wiped when it is dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(SecretBody::new(bytes))
    }

    /// Returns the bytes, for comparing or sending them.
    pub fn expose(&self) -> Bytes {
        self.0.expose()
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(&other.expose()).into()
    }
}

impl Eq for Password {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_compared_and_not_shown() {
        let password = |text: &str| Password::new(text.as_bytes().to_vec());
        assert!(password("hunter2") == password("hunter2"));
        assert!(password("hunter2") != password("hunter3") && password("hunter2") != password("hunter"));
        assert!(!format!("{:?}", password("hunter2")).contains("hunter"));
    }
}
