//! Accounts for limits per user: the user whose share of connections, requests and messages a caller uses.
//!
//! A user with a range in /etc/subuid can take every user ID in it (newuidmap(1)), usually 65,536 of them, while keeping its primary
//! group. A rule about that group applies to each of these IDs, so they must share one account.

use std::collections::{BTreeMap, BTreeSet};

use nix::unistd::{Uid, User};

/// First ID that is allocated in blocks of 65,536 (login.defs(5), systemd-nspawn(1)). Services have lower ones: DynamicUser= ends at
/// 65519, systemd-homed at 60513.
const FIRST_OF_BLOCKS: u32 = 65_536;
/// Number of IDs that share an account if no owner is known (it may come from a directory service). A range of the usual size covers at
/// most two blocks, and containers with a block each do not share one.
const BLOCK: u32 = 65_536;

/// A range of IDs that a user can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedRange {
    /// The owner.
    pub owner: u32,
    /// The first ID.
    pub first: u32,
    /// The number of IDs.
    pub count: u32,
}

/// The accounts of users, according to the access rules and /etc/subuid at the time when the rules were read.
#[derive(Clone, Debug, Default)]
pub struct UserAccounts {
    /// Users that a rule names; each has an account of its own.
    named: BTreeSet<u32>,
    ranges: Vec<OwnedRange>,
    /// The names of this machine's own users.
    names: BTreeMap<u32, String>,
}

impl UserAccounts {
    /// Creates the accounts for rules that name the users `named`, and ranges of subordinate IDs.
    pub fn new(named: BTreeSet<u32>, ranges: Vec<OwnedRange>) -> Self {
        Self {
            named,
            ranges,
            names: BTreeMap::new(),
        }
    }

    /// Adds the names in `passwd` (passwd(5)). If a user has several names, the first one is used, as by getpwuid(3).
    #[must_use]
    pub fn with_names(mut self, passwd: &str) -> Self {
        for line in passwd.lines() {
            let mut fields = line.split(':');
            let (name, uid) = (fields.next().unwrap_or_default(), fields.nth(1));
            if let (false, Some(uid)) = (name.is_empty(), uid.and_then(|uid| uid.parse().ok())) {
                self.names.entry(uid).or_insert_with(|| name.to_owned());
            }
        }
        self
    }

    /// Returns the name of a local user.
    pub fn name(&self, uid: u32) -> Option<&str> {
        self.names.get(&uid).map(String::as_str)
    }

    /// Returns the user whose account the user `uid` uses.
    pub fn account_uid(&self, uid: u32) -> u32 {
        if self.named.contains(&uid) {
            return uid;
        }
        let range = self.ranges.iter().find(|range| range.contains(uid));
        match range {
            Some(range) => range.owner,
            None if uid >= FIRST_OF_BLOCKS => uid - uid % BLOCK,
            None => uid,
        }
    }
}

/// Returns the user for messages: by name, or by number if it has none.
pub fn name_in_message(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("user {}", user.name),
        _ => format!("uid {uid}"),
    }
}

impl OwnedRange {
    fn contains(self, uid: u32) -> bool {
        uid.checked_sub(self.first).is_some_and(|offset| offset < self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ids_that_a_user_can_take_share_one_account() {
        let range = |owner, first, count| OwnedRange { owner, first, count };
        let ranges = vec![
            range(1000, 100_000, 65_536),
            range(1001, 165_536, 65_536),
            range(1002, 70_000, 1),
            range(1003, u32::MAX, 10),
        ];
        let accounts = UserAccounts::new([101_234, 300_000].into(), ranges);
        for (uid, account, what) in [
            (0, 0, "root"),
            (1000, 1000, "the owner of a range"),
            (100_000, 1000, "the first of a range"),
            (165_535, 1000, "the last of a range"),
            (165_536, 1001, "the next owner's first"),
            (231_071, 1001, "the next owner's last"),
            (231_072, 196_608, "behind the ranges"),
            (101_234, 101_234, "named although it is in a range"),
            (101_235, 1000, "the one beside it"),
            (70_000, 1002, "a range of one"),
            (70_001, 65_536, "the one behind it"),
            (u32::MAX, 1003, "the last number"),
            (60_001, 60_001, "systemd-homed"),
            (61_184, 61_184, "DynamicUser="),
            (65_519, 65_519, "the last DynamicUser="),
            (65_535, 65_535, "the last below the blocks"),
            (65_536, 65_536, "the first block"),
            (99_999, 65_536, "the last before the ranges"),
            (300_000, 300_000, "a user of a directory that a rule names"),
            (300_001, 262_144, "a user of a directory that no rule names"),
            (524_288 + 1000, 524_288, "a container of systemd-nspawn"),
        ] {
            assert_eq!(accounts.account_uid(uid), account, "{what}: {uid}");
        }
        let nobody = UserAccounts::default();
        let accounts: BTreeSet<u32> = (100_000..165_536).map(|uid| nobody.account_uid(uid)).collect();
        assert!(accounts.len() <= 2, "without an entry: {accounts:?}");
    }
}
