//! Bearer tokens: a caller that presents one has the permissions of the rule that it was created for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;

use crate::config::Selectors;
use crate::local::access::TokenReader;
use crate::local::caller::TokenHolder;
use crate::secret::{ExposeSecret, SecretString};

/// Random bytes in a token, as many as in a 256-bit key.
const RANDOMNESS: usize = 32;

/// A bearer token.
#[derive(Clone, Debug)]
pub struct BearerToken {
    /// Selectors of its rule.
    pub selectors: Arc<Selectors>,
    /// The reader of its file.
    pub reader: TokenReader,
    /// Its file.
    pub file: PathBuf,
    /// Whether the administrator has chosen it and maintains its file (`token-file`).
    pub is_from_administrator: bool,
    value: SecretString,
}

impl BearerToken {
    /// Generates a token.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn generate(selectors: Arc<Selectors>, reader: TokenReader, file: PathBuf) -> Result<Self, String> {
        let mut bytes = [0; RANDOMNESS];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| "the system provides no random numbers".to_owned())?;
        let mut value = String::with_capacity(2 * RANDOMNESS);
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                value.extend(char::from_digit(digit.into(), 16));
            }
        }
        Ok(Self::from_earlier_run(selectors, reader, file, value.into()))
    }

    /// Creates a token from the value that an earlier run has generated.
    pub fn from_earlier_run(
        selectors: Arc<Selectors>,
        reader: TokenReader,
        file: PathBuf,
        value: SecretString,
    ) -> Self {
        Self {
            selectors,
            reader,
            file,
            is_from_administrator: false,
            value,
        }
    }

    /// Creates a token from the value that the administrator has chosen.
    pub fn from_administrator(
        selectors: Arc<Selectors>,
        reader: TokenReader,
        file: PathBuf,
        value: SecretString,
    ) -> Self {
        Self {
            is_from_administrator: true,
            ..Self::from_earlier_run(selectors, reader, file, value)
        }
    }

    /// Returns the same token in another file.
    pub fn with_file(&self, file: PathBuf) -> Self {
        Self { file, ..self.clone() }
    }

    /// Returns whether the value has the form of those from [`generate`](Self::generate).
    pub fn is_generated_form(value: &SecretString) -> bool {
        let value = value.expose_secret();
        value.len() == 2 * RANDOMNESS && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// Returns whether its recipients can read its file. The administrator is responsible for his own files.
    pub fn is_readable(&self) -> bool {
        self.is_from_administrator || self.reader != TokenReader::Nobody
    }

    /// Returns whether it has no file: it comes from the previous run, and its folder could not be written.
    pub fn has_no_file(&self) -> bool {
        self.file.as_os_str().is_empty()
    }

    /// Returns whether `value` is this token, in constant time.
    pub fn matches(&self, value: &[u8]) -> bool {
        self.value.expose_secret().as_bytes().ct_eq(value).into()
    }

    /// Returns the file's whole content. It has no final newline, which botocore would take for a part of the token.
    pub fn value(&self) -> &SecretString {
        &self.value
    }
}

/// The accepted tokens.
#[derive(Clone, Debug, Default)]
pub struct BearerTokens(Vec<BearerToken>);

impl BearerTokens {
    /// Creates the set of `tokens`.
    pub fn new(tokens: Vec<BearerToken>) -> Self {
        Self(tokens)
    }

    /// Finds the holder of the token with this value. The time does not depend on whether or where it is found.
    pub fn holder_of(&self, value: &[u8]) -> Option<TokenHolder> {
        let mut holder = None;
        for token in &self.0 {
            if token.matches(value) {
                holder = Some(TokenHolder {
                    selectors: token.selectors.clone(),
                    uid: match token.reader {
                        TokenReader::User(uid) => Some(uid),
                        TokenReader::Group(_) | TokenReader::Nobody => None,
                    },
                });
            }
        }
        holder
    }

    /// Finds the generated token for `selectors` with this reader.
    pub fn find_generated(&self, selectors: &Selectors, reader: TokenReader) -> Option<&BearerToken> {
        let mut generated = self
            .0
            .iter()
            .filter(|token| !token.is_from_administrator && token.reader == reader);
        generated.find(|token| *token.selectors == *selectors)
    }

    /// Finds the token for `selectors`.
    pub fn find(&self, selectors: &Selectors) -> Option<&BearerToken> {
        self.0.iter().find(|token| *token.selectors == *selectors)
    }

    /// Iterates over the tokens.
    pub fn iter(&self) -> impl Iterator<Item = &BearerToken> {
        self.0.iter()
    }

    /// Iterates over the tokens' files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|token| token.file.as_path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_whole_value() {
        let selectors = |uid| {
            Arc::new(Selectors {
                uid: Some(uid),
                ..Selectors::default()
            })
        };
        let holder = |uid| TokenHolder {
            selectors: selectors(uid),
            uid: Some(uid),
        };
        let token = |uid| BearerToken::generate(selectors(uid), TokenReader::User(uid), "/file".into()).unwrap();
        let tokens = BearerTokens::new(vec![token(1), token(2)]);
        let value = |uid| tokens.find(&selectors(uid)).unwrap().value().expose_secret().to_owned();
        assert_eq!(value(1).len(), 2 * RANDOMNESS);
        assert_ne!(value(1), value(2));
        assert_eq!(tokens.holder_of(value(2).as_bytes()), Some(holder(2)));
        for wrong in [
            "",
            "x",
            &value(1)[1..],
            &format!("{}\n", value(1)),
            &"0".repeat(2 * RANDOMNESS),
        ] {
            assert_eq!(tokens.holder_of(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert!(!format!("{tokens:?}").contains(&value(1)));
    }
}
