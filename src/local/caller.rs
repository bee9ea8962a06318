//! Who asks, and how that is known.

use std::fmt;
use std::sync::Arc;

use super::peer::Peer;
use crate::config::Selectors;

/// Who asks.
#[derive(Clone, Debug)]
pub enum Caller {
    /// The process at the other end of the Unix socket, by the kernel's word.
    Peer(Peer),
    /// Whoever holds one of the loopback listener's tokens.
    Bearer(Holder),
}

/// Who holds a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Whom it was laid out for.
    pub selectors: Arc<Selectors>,
    /// The user who can read its file, if that is one.
    pub uid: Option<u32>,
}

impl Caller {
    /// Whose the caller's things are: a user's, by whichever door, or those of whom a token was laid out for.
    pub fn account(&self) -> String {
        match self {
            Self::Peer(Peer { account: uid, .. }) | Self::Bearer(Holder { uid: Some(uid), .. }) => format!("uid {uid}"),
            Self::Bearer(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => peer.fmt(f),
            Self::Bearer(holder) => write!(f, "the holder of the token for {}", holder.selectors),
        }
    }
}
