//! Accounts: the one that writes credentials files, and those that read them.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use crate::config::FileOwner;
use crate::local::access::TokenReader;
use crate::problem::Problem;

/// The account that writes credentials files.
#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// The name of its group.
    pub group: String,
}

/// The account that reads a credentials file.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Its name for messages, such as `user camera`.
    pub name: String,
    /// The user or group that may read the file.
    pub token_reader: TokenReader,
    /// The user's number; `None` for a group.
    pub uid: Option<u32>,
    /// The user's groups, or the group.
    pub gids: Vec<u32>,
}

impl Account {
    /// Returns the account of this process.
    pub fn current() -> Self {
        let (uid, gid) = (Uid::effective(), Gid::effective());
        let user = User::from_uid(uid).ok().flatten();
        let group = Group::from_gid(gid).ok().flatten();
        Self {
            name: user.map_or_else(|| uid.to_string(), |user| user.name),
            uid: uid.as_raw(),
            gid: gid.as_raw(),
            group: group.map_or_else(|| gid.to_string(), |group| group.name),
        }
    }
}

impl Reader {
    /// Looks the owner of a file up, by name or number.
    ///
    /// # Errors
    /// If there is no such account.
    pub fn look_up(owner: &FileOwner) -> Result<Self, Problem> {
        let name = owner.to_string();
        match owner {
            FileOwner::User(user) => {
                let number = user.parse().ok();
                let known = User::from_name(user).ok().flatten();
                let known = known.or_else(|| User::from_uid(Uid::from_raw(number?)).ok().flatten());
                let uid = known.as_ref().map(|user| user.uid.as_raw()).or(number);
                let uid = uid.ok_or_else(|| missing(&name, "getent passwd"))?;
                let gids = known.map(|user| groups_of(&user)).unwrap_or_default();
                let token_reader = TokenReader::User(uid);
                Ok(Self {
                    name,
                    token_reader,
                    uid: Some(uid),
                    gids,
                })
            }
            FileOwner::Group(group) => {
                let known = Group::from_name(group).ok().flatten().map(|group| group.gid.as_raw());
                let gid = known.or_else(|| group.parse().ok());
                let gid = gid.ok_or_else(|| missing(&name, "getent group"))?;
                Ok(Self {
                    name,
                    token_reader: TokenReader::Group(gid),
                    uid: None,
                    gids: vec![gid],
                })
            }
        }
    }
}

fn groups_of(user: &User) -> Vec<u32> {
    let name = CString::new(user.name.as_str()).ok();
    let groups = name.and_then(|name| getgrouplist(&name, user.gid).ok());
    let groups = groups.unwrap_or_else(|| vec![user.gid]);
    groups.into_iter().map(Gid::as_raw).collect()
}

fn missing(name: &str, list: &str) -> Problem {
    let message = format!("there is no {name} on this machine");
    Problem::configuration(message).next(format!(
        "create it, or name another one ({list} shows them); then: systemctl reload gatepost"
    ))
}
