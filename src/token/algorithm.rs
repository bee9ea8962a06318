//! The kinds of key that a gateway may have, and their signature schemes.

use std::fmt;
use std::str::FromStr;

/// A kind of key. AWS IoT accepts P-256, P-384 and RSA from 2048 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST P-256.
    EcP256,
    /// ECDSA on NIST P-384.
    EcP384,
    /// RSA with this many bits.
    Rsa(u32),
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcP256 => f.write_str("ec-p256"),
            Self::EcP384 => f.write_str("ec-p384"),
            Self::Rsa(bits) => write!(f, "rsa-{bits}"),
        }
    }
}

/// `token.generate`: what to do if the token has no matching key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generate {
    /// Generate a key inside the token.
    Key(KeyAlgorithm),
    /// Wait until a key appears.
    Never,
}

impl Default for Generate {
    fn default() -> Self {
        Self::Key(KeyAlgorithm::EcP256)
    }
}

impl FromStr for Generate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "ec-p256" => Self::Key(KeyAlgorithm::EcP256),
            "ec-p384" => Self::Key(KeyAlgorithm::EcP384),
            "rsa-2048" => Self::Key(KeyAlgorithm::Rsa(2048)),
            "rsa-3072" => Self::Key(KeyAlgorithm::Rsa(3072)),
            "never" => Self::Never,
            _ => {
                // The value is not repeated, because some people write the PIN here.
                return Err("is none of ec-p256, ec-p384, rsa-2048, rsa-3072, never".to_owned());
            }
        })
    }
}

/// A hash function. Hashes are computed in software, and the token signs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Computes the hash of `message`.
    pub(super) fn of(self, message: &[u8]) -> ring::digest::Digest {
        ring::digest::digest(self.ring(), message)
    }

    /// Returns the length in bytes.
    pub(super) fn length(self) -> u8 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn ring(self) -> &'static ring::digest::Algorithm {
        match self {
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha384 => &ring::digest::SHA384,
            Self::Sha512 => &ring::digest::SHA512,
        }
    }

    /// Returns the prefix of the hash in a PKCS#1 v1.5 signature: the DER of a DigestInfo (RFC 8017, 9.2, note 1).
    pub(super) fn digest_info_prefix(self) -> [u8; 19] {
        let length = self.length();
        let oid_end = match self {
            Self::Sha256 => 1,
            Self::Sha384 => 2,
            Self::Sha512 => 3,
        };
        [
            0x30,
            17 + length,
            0x30,
            0x0d,
            0x06,
            0x09,
            0x60,
            0x86,
            0x48,
            0x01,
            0x65,
            0x03,
            0x04,
            0x02,
            oid_end,
            0x05,
            0x00,
            0x04,
            length,
        ]
    }
}

/// A signature scheme, as negotiated in a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA over a hash; the signature is a DER SEQUENCE of two integers.
    Ecdsa(Hash),
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1(Hash),
    /// RSASSA-PSS with MGF1 and the same hash, and a salt as long as the hash.
    RsaPss(Hash),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_and_status_use_the_same_names() {
        for name in ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072"] {
            let Ok(Generate::Key(algorithm)) = name.parse() else {
                panic!("{name}")
            };
            assert_eq!(algorithm.to_string(), name);
        }
        assert_eq!("never".parse(), Ok(Generate::Never));
        assert!("EC-P256".parse::<Generate>().is_err());
    }
}
