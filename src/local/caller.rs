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
    /// Whoever holds the token that was laid out for these, on the loopback listener.
    Bearer(Arc<Selectors>),
}

impl Caller {
    /// Whose the caller's things are: a user's, or those of whom a token was laid out for.
    pub fn account(&self) -> String {
        match self {
            Self::Peer(peer) => format!("uid {}", peer.uid),
            Self::Bearer(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => peer.fmt(f),
            Self::Bearer(selectors) => write!(f, "the holder of the token for {selectors}"),
        }
    }
}
