//! The form in which tokens pass from one run of the daemon to the next.
//!
//! They pass only together with the listening socket. While nobody holds the port another user can bind it, and whoever
//! connects there shows that user his token: so a token is good for as long as the port was held without a gap.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::tokens::{Reader, Token};
use crate::config::Selectors;
use crate::sealed;
use crate::secret::{ExposeSecret, SecretString};

/// The form below. Fields may be added to it; one that changes its meaning is another version.
const VERSION: u32 = 1;
/// The fixed-size part of a token's entry in the file.
const FRAME: usize = 256;

#[derive(Serialize)]
struct Written<'a> {
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
    reader: Reader,
    value: &'a str,
}

#[derive(Deserialize)]
struct Read {
    version: u32,
    address: SocketAddr,
    /// Grows with each file that is written: a run that ended in between has left two.
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
    reader: Reader,
    value: SecretString,
}

/// A sealed file with the tokens that gatepost has made for the listener at `address`.
///
/// # Errors
/// When the kernel gives no such file.
pub fn seal<'a>(tokens: impl Iterator<Item = &'a Token>, address: SocketAddr, count: u64) -> io::Result<OwnedFd> {
    let tokens: Vec<_> = tokens.map(WrittenToken::of).collect();
    let size: usize = tokens.iter().map(WrittenToken::size).sum();
    // Large enough from the start: a buffer that grows leaves copies of secrets behind.
    let mut text = Zeroizing::new(Vec::with_capacity(size + FRAME));
    let written = Written {
        version: VERSION,
        address,
        count,
        tokens,
    };
    serde_json::to_writer(&mut *text, &written)?;
    sealed::seal(c"gatepost-loopback-tokens", &text)
}

/// The count and the tokens of a file that [`seal`] made for the listener at `address`; where their files are is not known
/// yet.
///
/// # Errors
/// With the reason why it is none of ours.
pub fn unseal(file: impl AsFd, address: SocketAddr) -> Result<(u64, Vec<Token>), String> {
    let text = sealed::read(file)?;
    // serde_json's messages may quote a value: the place is enough.
    let place = |error: serde_json::Error| format!("it is damaged (line {}, column {})", error.line(), error.column());
    let read: Read = serde_json::from_slice(&text).map_err(place)?;
    if read.version != VERSION {
        return Err(format!(
            "it is of version {}, and this gatepostd reads version {VERSION}",
            read.version
        ));
    }
    if read.address != address {
        return Err(format!(
            "its tokens are for {}, and loopback.listen is {address}",
            read.address
        ));
    }
    if let Some(bad) = read.tokens.iter().find(|token| !Token::is_made_here(&token.value)) {
        return Err(format!("its token for {} is none that gatepost makes", bad.reader));
    }
    Ok((read.count, read.tokens.into_iter().map(ReadToken::into_token).collect()))
}

impl<'a> WrittenToken<'a> {
    fn of(token: &'a Token) -> Self {
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

    /// How much room it takes at most: each letter may have to be escaped.
    fn size(&self) -> usize {
        let names = [self.user, self.group, self.unit].into_iter().flatten();
        names.chain([self.value]).map(|text| 6 * text.len()).sum::<usize>() + FRAME
    }
}

impl ReadToken {
    fn into_token(self) -> Token {
        let selectors = Selectors {
            user: self.user,
            group: self.group,
            uid: self.uid,
            gid: self.gid,
            unit: self.unit,
        };
        Token::known(Arc::new(selectors), self.reader, PathBuf::new(), self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> SocketAddr {
        "127.0.0.1:9922".parse().unwrap()
    }

    fn tokens() -> Vec<Token> {
        let selectors = |user: Option<&str>, unit: Option<&str>| {
            Arc::new(Selectors {
                user: user.map(str::to_owned),
                unit: unit.map(str::to_owned),
                ..Selectors::default()
            })
        };
        vec![
            Token::new(selectors(Some("ca\"mera"), None), Reader::User(1000), "/f".into()).unwrap(),
            Token::new(selectors(None, Some("a@b.service")), Reader::Nobody, "/g".into()).unwrap(),
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
