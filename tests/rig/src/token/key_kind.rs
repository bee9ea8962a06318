//! Kinds of key pairs.

/// A kind of key pair, with the names of gatepost's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// NIST P-256.
    EcP256,
    /// NIST P-384.
    EcP384,
    /// RSA, 2048 bits.
    Rsa2048,
    /// RSA, 3072 bits.
    Rsa3072,
}

impl KeyKind {
    /// Returns its name in `[token] generate`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::EcP256 => "ec-p256",
            Self::EcP384 => "ec-p384",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
        }
    }
}
