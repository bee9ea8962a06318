//! A rule's selectors as numbers, and the processes that match them.

use std::sync::Arc;

use nix::unistd::{Group, User};

use super::token_reader::TokenReader;
use crate::config::Selectors;
use crate::local::caller::Peer;

/// The first subordinate user ID. Such IDs are assigned to ordinary users for their containers, 65,536 at a time (subuid(5);
/// login.defs(5): from 100000), and never to services.
const FIRST_SUBORDINATE: u32 = 65_536;

/// A rule's selectors as numbers. All that are present must match.
#[derive(Debug, Default)]
pub(super) struct ProcessSelectors {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) user: Option<u32>,
    pub(super) group: Option<Members>,
    pub(super) unit: Option<Arc<str>>,
}

/// A group with its members in the group database. A process matches by its primary group or as a member.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) gid: u32,
    pub(super) uids: Vec<u32>,
}

impl ProcessSelectors {
    /// Looks up the names.
    pub(super) fn look_up(selectors: &Selectors) -> Result<Self, String> {
        let user = selectors.user.as_deref().map(uid_of).transpose()?;
        let group = selectors.group.as_deref().map(Members::look_up).transpose()?;
        Ok(Self {
            uid: selectors.uid,
            gid: selectors.gid,
            user,
            group,
            unit: selectors.unit.as_deref().map(Arc::from),
        })
    }

    /// Returns whether the peer matches. Selectors that are all absent match nobody.
    pub(super) fn match_peer(&self, peer: &Peer) -> bool {
        (self.selects_user() || self.unit.is_some())
            && self.match_user(peer)
            && self.unit.as_ref().is_none_or(|unit| peer.unit.as_ref() == Some(unit))
    }

    /// Returns whether the peer, whose unit is not known yet, may match.
    pub(super) fn may_match(&self, peer: &Peer) -> bool {
        match self.selects_user() {
            true => self.match_user(peer),
            false => self.unit.is_some() && peer.uid < FIRST_SUBORDINATE,
        }
    }

    /// Returns the users that are selected by ID, name or membership.
    pub(super) fn users(&self) -> impl Iterator<Item = u32> {
        let members = self.group.iter().flat_map(|group| group.uids.iter().copied());
        self.uid.into_iter().chain(self.user).chain(members)
    }

    /// Returns whether the process matches that an owner was. An owner that an older version stored is known only by its user:
    /// group and unit count as matching until its program subscribes again. Each message is checked against the program then.
    pub(super) fn match_owner(&self, uid: u32, gid: Option<u32>, unit: Option<&str>) -> bool {
        let group_matches = |selected: u32| gid.is_none_or(|gid| gid == selected);
        (self.selects_user() || self.unit.is_some())
            && self.uid.is_none_or(|selected| selected == uid)
            && self.user.is_none_or(|selected| selected == uid)
            && self.gid.is_none_or(group_matches)
            && (self.group.as_ref()).is_none_or(|group| group_matches(group.gid) || group.uids.contains(&uid))
            && (self.unit.as_deref()).is_none_or(|selected| gid.is_none() || unit == Some(selected))
    }

    fn selects_user(&self) -> bool {
        self.uid.is_some() || self.gid.is_some() || self.user.is_some() || self.group.is_some()
    }

    fn match_user(&self, peer: &Peer) -> bool {
        self.uid.is_none_or(|uid| uid == peer.uid)
            && self.user.is_none_or(|uid| uid == peer.uid)
            && self.gid.is_none_or(|gid| gid == peer.gid)
            && self
                .group
                .as_ref()
                .is_none_or(|group| group.gid == peer.gid || group.uids.contains(&peer.uid))
    }

    /// Returns the reader of a token file: the user or group, if the selectors consist of just one.
    pub(super) fn reader(&self) -> TokenReader {
        let group = self.group.as_ref().map(|group| group.gid);
        match (self.user.or(self.uid), group.or(self.gid), &self.unit) {
            (Some(uid), None, None) if self.user.is_none() || self.uid.is_none() => TokenReader::User(uid),
            (None, Some(gid), None) if self.group.is_none() || self.gid.is_none() => TokenReader::Group(gid),
            _ => TokenReader::Nobody,
        }
    }
}

impl Members {
    fn look_up(name: &str) -> Result<Self, String> {
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
