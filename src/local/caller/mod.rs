//! Identifies the caller of a request.

mod owner;
mod peer;
mod unit;

use std::fmt;
use std::sync::Arc;

use crate::config::Selectors;
use crate::messages::{Account, Owner};

pub use owner::token_owner;
pub use peer::Peer;
pub use unit::socket_holds_process;

/// The group ID that no group has. The holder of a user's token is not in any group, so that no rule about a group applies.
const NO_GROUP: u32 = u32::MAX;

/// The program that sent a request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A process at the other end of the Unix socket, identified by the kernel.
    Peer(Peer),
    /// The holder of a bearer token, on the loopback listener.
    Bearer(TokenHolder),
}

/// The holder of a bearer token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenHolder {
    /// Selectors of the rule that the token was created for.
    pub selectors: Arc<Selectors>,
    /// The user who can read the token's file, if exactly one can.
    pub uid: Option<u32>,
}

impl Caller {
    /// Returns the account that the caller's resources are counted under: its user on either listener, or its token.
    pub fn account(&self) -> String {
        match self {
            Self::Peer(Peer { account: uid, .. }) | Self::Bearer(TokenHolder { uid: Some(uid), .. }) => {
                format!("uid {uid}")
            }
            Self::Bearer(_) => self.to_string(),
        }
    }

    /// Returns the account that the caller's messages are counted under: its user on either listener, or its token.
    pub fn message_account(&self) -> Account {
        match self {
            Self::Peer(Peer { account: uid, .. }) | Self::Bearer(TokenHolder { uid: Some(uid), .. }) => {
                Account::of_user(*uid)
            }
            Self::Bearer(_) => self.owner(false).account(),
        }
    }

    /// Returns the owner of a durable subscription that the caller creates. `by_unit` says whether the rule that permits it
    /// selects a unit: the subscription then belongs to the unit, and not to every process of the same user.
    pub fn owner(&self, by_unit: bool) -> Owner {
        match self {
            Self::Peer(Peer { uid, gid, unit, .. }) => match unit.as_ref().filter(|_| by_unit) {
                Some(unit) => Owner::Unit {
                    unit: unit.to_string(),
                    uid: *uid,
                    gid: *gid,
                },
                None => Owner::User {
                    uid: *uid,
                    gid: Some(*gid),
                },
            },
            Self::Bearer(TokenHolder { uid: Some(uid), .. }) => Owner::User {
                uid: *uid,
                gid: Some(NO_GROUP),
            },
            Self::Bearer(TokenHolder { selectors, .. }) => Owner::Token(token_owner(selectors)),
        }
    }

    /// Returns whether the caller may list, acknowledge and delete what `owner` owns, as its user or as its unit.
    pub fn is_owner(&self, owner: &Owner) -> bool {
        self.owner(false).is(owner) || self.owner(true).is(owner)
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
