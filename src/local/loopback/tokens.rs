//! The tokens: who shows one speaks for those it was laid out for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;

use super::super::caller::Holder;
use crate::config::Selectors;
use crate::secret::{ExposeSecret, SecretString};

/// Bytes of randomness in a token: as good as any key.
const RANDOMNESS: usize = 32;

/// Who can read a token's file besides gatepost and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// This user.
    User(u32),
    /// This group.
    Group(u32),
    /// Nobody: a rule that asks for more than one thing, or for a unit, has no one who could be trusted with it. systemd
    /// hands it over (`LoadCredential=`).
    Nobody,
}

/// One token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Whom it speaks for.
    pub selectors: Arc<Selectors>,
    /// Who can read its file.
    pub reader: Reader,
    /// Its file.
    pub file: PathBuf,
    value: SecretString,
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(selectors: Arc<Selectors>, reader: Reader, file: PathBuf) -> Result<Self, String> {
        let mut bytes = [0; RANDOMNESS];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| "the system gives no random numbers".to_owned())?;
        let mut value = String::with_capacity(2 * RANDOMNESS);
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                value.extend(char::from_digit(digit.into(), 16));
            }
        }
        Ok(Self {
            selectors,
            reader,
            file,
            value: value.into(),
        })
    }

    /// What the file holds: nothing but this, since botocore takes a final newline for a part of the token.
    pub fn value(&self) -> &SecretString {
        &self.value
    }
}

/// Every token.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// These tokens.
    pub fn new(tokens: Vec<Token>) -> Self {
        Self(tokens)
    }

    /// Whom the token with this value speaks for. Takes as long whether and wherever it is found.
    pub fn holder_of(&self, value: &[u8]) -> Option<Holder> {
        let mut holder = None;
        for token in &self.0 {
            if bool::from(token.value.expose_secret().as_bytes().ct_eq(value)) {
                holder = Some(Holder {
                    selectors: token.selectors.clone(),
                    uid: match token.reader {
                        Reader::User(uid) => Some(uid),
                        Reader::Group(_) | Reader::Nobody => None,
                    },
                });
            }
        }
        holder
    }

    /// The token that was laid out for `selectors`.
    pub fn of(&self, selectors: &Selectors) -> Option<&Token> {
        self.0.iter().find(|token| *token.selectors == *selectors)
    }

    /// Every token's file.
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
        let holder = |uid| Holder {
            selectors: selectors(uid),
            uid: Some(uid),
        };
        let token = |uid| Token::new(selectors(uid), Reader::User(uid), "/file".into()).unwrap();
        let tokens = Tokens::new(vec![token(1), token(2)]);
        let value = |uid| tokens.of(&selectors(uid)).unwrap().value().expose_secret().to_owned();
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
