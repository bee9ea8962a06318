//! The tokens: who shows one speaks for those it was laid out for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::super::caller::Holder;
use crate::config::Selectors;
use crate::secret::{ExposeSecret, SecretString};

/// Bytes of randomness in a token: as good as any key.
const RANDOMNESS: usize = 32;

/// Who can read a token's file besides gatepost and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reader {
    /// This user.
    User(u32),
    /// This group.
    Group(u32),
    /// Nobody: a rule that asks for more than one thing, or for a unit, has no one who could be trusted with it. systemd
    /// hands it over (`LoadCredential=`).
    Nobody,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => write!(f, "user {uid}"),
            Self::Group(gid) => write!(f, "group {gid}"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// Whom a token is to be laid out for.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// Whom the rule is for.
    pub selectors: Arc<Selectors>,
    /// Who among them can read a file.
    pub reader: Reader,
    /// The administrator's own token, if the rule names one.
    pub token_file: Option<PathBuf>,
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
    /// Whether the administrator has chosen it, and keeps its file.
    pub is_given: bool,
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
        Ok(Self::known(selectors, reader, file, value.into()))
    }

    /// One that was made before.
    pub fn known(selectors: Arc<Selectors>, reader: Reader, file: PathBuf, value: SecretString) -> Self {
        Self {
            selectors,
            reader,
            file,
            is_given: false,
            value,
        }
    }

    /// One that the administrator has chosen.
    pub fn given(selectors: Arc<Selectors>, reader: Reader, file: PathBuf, value: SecretString) -> Self {
        Self {
            is_given: true,
            ..Self::known(selectors, reader, file, value)
        }
    }

    /// The same in another file.
    pub fn in_file(&self, file: PathBuf) -> Self {
        Self { file, ..self.clone() }
    }

    /// Whether this value has the form of those that [`new`](Self::new) makes.
    pub fn is_made_here(value: &SecretString) -> bool {
        let value = value.expose_secret();
        value.len() == 2 * RANDOMNESS && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// Whether those it is for can read its file: what the administrator keeps is his to hand out.
    pub fn is_readable(&self) -> bool {
        self.is_given || self.reader != Reader::Nobody
    }

    /// Whether it was never laid out: it comes from the run before, and its folder could not be written.
    pub fn has_no_file(&self) -> bool {
        self.file.as_os_str().is_empty()
    }

    /// Whether `value` is this token. Takes as long wherever they differ.
    pub fn is(&self, value: &[u8]) -> bool {
        self.value.expose_secret().as_bytes().ct_eq(value).into()
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
            if token.is(value) {
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

    /// The token of gatepost's own that is for `selectors`, if it is for this reader.
    pub fn own(&self, selectors: &Selectors, reader: Reader) -> Option<&Token> {
        let mut own = self.0.iter().filter(|token| !token.is_given && token.reader == reader);
        own.find(|token| *token.selectors == *selectors)
    }

    /// The token that was laid out for `selectors`.
    pub fn of(&self, selectors: &Selectors) -> Option<&Token> {
        self.0.iter().find(|token| *token.selectors == *selectors)
    }

    /// Every token.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
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
