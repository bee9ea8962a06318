//! The sealed file in which tokens pass from one run of the daemon to the next.
//!
//! They pass only together with the listening socket. While nobody holds the port another user can bind it, and programs
//! would present their tokens there. So a token is valid only as long as the port was held without a gap.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::token::BearerToken;
use crate::config::Selectors;
use crate::local::access::TokenReader;
use crate::sealed;
use crate::secret::{ExposeSecret, SecretString};

/// The version of the format. Additional fields do not change it; another meaning does.
const VERSION: u32 = 1;
/// Upper bound of the fixed part of a token's entry.
const ENTRY_OVERHEAD: usize = 256;

#[derive(Serialize)]
struct WrittenSnapshot<'a> {
    version: u32,
    address: SocketAddr,
    count: u64,
    tokens: Vec<WrittenToken<'a>>,
}

#[derive(Serialize)]
struct WrittenToken<'a> {
    user: Option<&'a str>,
    group: Option<&'a str>,
    uid: Option<u32>,
    gid: Option<u32>,
    unit: Option<&'a str>,
    reader: TokenReader,
    value: &'a str,
}

#[derive(Deserialize)]
struct ReadSnapshot {
    version: u32,
    address: SocketAddr,
    /// Incremented for each file: a run that ended between storing and removing one leaves two.
    count: u64,
    tokens: Vec<ReadToken>,
}

#[derive(Deserialize)]
struct ReadToken {
    user: Option<String>,
    group: Option<String>,
    uid: Option<u32>,
    gid: Option<u32>,
    unit: Option<String>,
    reader: TokenReader,
    value: SecretString,
}

/// Creates a sealed file with the generated tokens for the listener at `address`.
///
/// # Errors
/// If the kernel cannot create the file.
pub fn seal<'a>(tokens: impl Iterator<Item = &'a BearerToken>, address: SocketAddr, count: u64) -> io::Result<OwnedFd> {
    let tokens: Vec<_> = tokens.map(WrittenToken::from_token).collect();
    let size: usize = tokens.iter().map(WrittenToken::size).sum();
    // Allocated in full, because a buffer that grows leaves copies of secrets in memory.
    let mut text = Zeroizing::new(Vec::with_capacity(size + ENTRY_OVERHEAD));
    let snapshot = WrittenSnapshot {
        version: VERSION,
        address,
        count,
        tokens,
    };
    serde_json::to_writer(&mut *text, &snapshot)?;
    sealed::seal(c"gatepost-loopback-tokens", &text)
}

/// Reads count and tokens from a file that [`seal`] created for the listener at `address`. The tokens have no files yet.
///
/// # Errors
/// If the file was not created by gatepost for this listener.
pub fn unseal(file: impl AsFd, address: SocketAddr) -> Result<(u64, Vec<BearerToken>), String> {
    let text = sealed::read(file)?;
    // serde_json's messages may quote a value, so only the place is repeated.
    let place = |error: serde_json::Error| format!("it is damaged (line {}, column {})", error.line(), error.column());
    let snapshot: ReadSnapshot = serde_json::from_slice(&text).map_err(place)?;
    if snapshot.version != VERSION {
        return Err(format!(
            "it is of version {}, and this gatepostd reads version {VERSION}",
            snapshot.version
        ));
    }
    if snapshot.address != address {
        return Err(format!(
            "its tokens are for {}, and loopback.listen is {address}",
            snapshot.address
        ));
    }
    if let Some(bad) = snapshot
        .tokens
        .iter()
        .find(|token| !BearerToken::is_generated_form(&token.value))
    {
        return Err(format!("its token for {} is none that gatepost makes", bad.reader));
    }
    Ok((
        snapshot.count,
        snapshot.tokens.into_iter().map(ReadToken::into_token).collect(),
    ))
}

impl<'a> WrittenToken<'a> {
    fn from_token(token: &'a BearerToken) -> Self {
        let Selectors {
            user,
            group,
            uid,
            gid,
            unit,
        } = &*token.selectors;
        Self {
            user: user.as_deref(),
            group: group.as_deref(),
            uid: *uid,
            gid: *gid,
            unit: unit.as_deref(),
            reader: token.reader,
            value: token.value().expose_secret(),
        }
    }

    /// Returns its maximum size. Every character may need an escape sequence.
    fn size(&self) -> usize {
        let names = [self.user, self.group, self.unit].into_iter().flatten();
        names.chain([self.value]).map(|text| 6 * text.len()).sum::<usize>() + ENTRY_OVERHEAD
    }
}

impl ReadToken {
    fn into_token(self) -> BearerToken {
        let selectors = Selectors {
            user: self.user,
            group: self.group,
            uid: self.uid,
            gid: self.gid,
            unit: self.unit,
        };
        BearerToken::from_earlier_run(Arc::new(selectors), self.reader, PathBuf::new(), self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> SocketAddr {
        "127.0.0.1:9922".parse().unwrap()
    }

    fn tokens() -> Vec<BearerToken> {
        let selectors = |user: Option<&str>, unit: Option<&str>| {
            Arc::new(Selectors {
                user: user.map(str::to_owned),
                unit: unit.map(str::to_owned),
                ..Selectors::default()
            })
        };
        vec![
            BearerToken::generate(selectors(Some("ca\"mera"), None), TokenReader::User(1000), "/f".into()).unwrap(),
            BearerToken::generate(selectors(None, Some("a@b.service")), TokenReader::Nobody, "/g".into()).unwrap(),
        ]
    }

    #[test]
    fn tokens_come_out_as_they_went_in() {
        let before = tokens();
        let (count, after) = unseal(seal(before.iter(), address(), 7).unwrap(), address()).unwrap();
        assert_eq!((count, after.len()), (7, 2));
        for (before, after) in before.iter().zip(&after) {
            assert_eq!((&before.selectors, before.reader), (&after.selectors, after.reader));
            assert_eq!(before.value().expose_secret(), after.value().expose_secret());
        }
    }

    #[test]
    fn what_is_none_of_ours_is_refused_without_a_word_of_its_content() {
        let good = r#"{"version":1,"address":"127.0.0.1:9922","count":1,"tokens":[]}"#;
        let with = |old: &str, new: &str| good.replacen(old, new, 1);
        let token = |value: &str| {
            let token = format!(r#"{{"user":"a","reader":{{"user":1}},"value":"{value}"}}"#);
            with("[]", &format!("[{token}]"))
        };
        for (text, reason) in [
            (good.to_owned(), None),
            (token(&"0a".repeat(32)), None),
            (with("9922", "9923"), Some("its tokens are for 127.0.0.1:9923")),
            (with(":1,", ":2,"), Some("it is of version 2")),
            (token(""), Some("its token for user 1 is none")),
            (token("hunter2"), Some("its token for user 1 is none")),
            (token(&"x".repeat(64)), Some("its token for user 1 is none")),
            (token(&"0A".repeat(32)), Some("its token for user 1 is none")),
            (with("[]", "7"), Some("it is damaged (line 1")),
            (with("127.0.0.1:9922", "hunter2"), Some("it is damaged (line 1")),
            (String::new(), Some("it is damaged (line 1")),
        ] {
            let outcome = unseal(sealed::seal(c"test", text.as_bytes()).unwrap(), address());
            match reason {
                None => assert!(outcome.is_ok(), "{text}: {outcome:?}"),
                Some(reason) => {
                    let why = outcome.unwrap_err();
                    assert!(why.contains(reason) && !why.contains("hunter2"), "{text}: {why}");
                }
            }
        }
        let (pipe, _writer) = rustix::pipe::pipe().unwrap();
        assert_eq!(unseal(pipe, address()).unwrap_err(), "it is no file in memory");
    }
}
