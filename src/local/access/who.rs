//! A rule's selectors with names turned into numbers, and the processes that they select.

use std::sync::Arc;

use nix::unistd::{Group, User};

use super::super::loopback::Reader;
use super::super::peer::Peer;
use crate::config::Selectors;

/// Users from here on are those that ordinary users are given by the 65,536 for their containers (subuid(5); login.defs(5):
/// from 100000), and no service's.
const FIRST_SUBORDINATE: u32 = 65_536;

/// A rule's selectors as numbers; all that are given must match.
#[derive(Debug, Default)]
pub(super) struct Who {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) user: Option<u32>,
    pub(super) group: Option<Members>,
    pub(super) unit: Option<Arc<str>>,
}

/// A group: by primary group or by the group database's list of members.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) gid: u32,
    pub(super) uids: Vec<u32>,
}

impl Who {
    pub(super) fn look_up(selectors: &Selectors) -> Result<Self, String> {
        let user = selectors.user.as_deref().map(uid_of).transpose()?;
        let group = selectors.group.as_deref().map(Members::of).transpose()?;
        Ok(Self {
            uid: selectors.uid,
            gid: selectors.gid,
            user,
            group,
            unit: selectors.unit.as_deref().map(Arc::from),
        })
    }

    pub(super) fn is(&self, peer: &Peer) -> bool {
        (self.names_a_user() || self.unit.is_some())
            && self.is_as_user(peer)
            && self.unit.as_ref().is_none_or(|unit| peer.unit.as_ref() == Some(unit))
    }

    /// Whether it may be this peer, whose unit is not known.
    pub(super) fn may_be(&self, peer: &Peer) -> bool {
        match self.names_a_user() {
            true => self.is_as_user(peer),
            false => self.unit.is_some() && peer.uid < FIRST_SUBORDINATE,
        }
    }

    /// The users that it names themselves.
    pub(super) fn users(&self) -> impl Iterator<Item = u32> {
        let members = self.group.iter().flat_map(|group| group.uids.iter().copied());
        self.uid.into_iter().chain(self.user).chain(members)
    }

    fn names_a_user(&self) -> bool {
        self.uid.is_some() || self.gid.is_some() || self.user.is_some() || self.group.is_some()
    }

    fn is_as_user(&self, peer: &Peer) -> bool {
        self.uid.is_none_or(|uid| uid == peer.uid)
            && self.user.is_none_or(|uid| uid == peer.uid)
            && self.gid.is_none_or(|gid| gid == peer.gid)
            && self
                .group
                .as_ref()
                .is_none_or(|group| group.gid == peer.gid || group.uids.contains(&peer.uid))
    }

    /// The user or group that could read a file that is for these.
    pub(super) fn reader(&self) -> Reader {
        let group = self.group.as_ref().map(|group| group.gid);
        match (self.user.or(self.uid), group.or(self.gid), &self.unit) {
            (Some(uid), None, None) if self.user.is_none() || self.uid.is_none() => Reader::User(uid),
            (None, Some(gid), None) if self.group.is_none() || self.gid.is_none() => Reader::Group(gid),
            _ => Reader::Nobody,
        }
    }
}

impl Members {
    fn of(name: &str) -> Result<Self, String> {
        match Group::from_name(name) {
            Ok(Some(group)) => {
                let uids = group.mem.iter().filter_map(|member| uid_of(member).ok()).collect();
                Ok(Self {
                    gid: group.gid.as_raw(),
                    uids,
                })
            }
            Ok(None) => Err(format!("there is no group {name}")),
            Err(error) => Err(format!("the group {name} cannot be looked up: {error}")),
        }
    }
}

fn uid_of(name: &str) -> Result<u32, String> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(format!("there is no user {name}")),
        Err(error) => Err(format!("the user {name} cannot be looked up: {error}")),
    }
}
