//! The user whose share of places, turns and messages a caller uses up.
//!
//! A user with a range in /etc/subuid can take every user ID of it (newuidmap(1)), usually 65,536 of them, and all of them
//! keep its primary group. A rule about a group therefore applies to each of them, and without this each would have a share
//! of its own.

use std::collections::{BTreeMap, BTreeSet};

use nix::unistd::{Uid, User};

/// IDs from here on are given out by the 65,536 (login.defs(5), systemd-nspawn(1)), and no service has one: DynamicUser=
/// ends at 65519, systemd-homed at 60513.
const FIRST_OF_BLOCKS: u32 = 65_536;
/// IDs in one block: a user of which no entry is known here (it may come from a directory) gets at most two blocks with one
/// range of the usual size, while containers with a block each do not share.
const BLOCK: u32 = 65_536;

/// A range of IDs that a user can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedRange {
    /// The user who has it.
    pub owner: u32,
    /// The first ID.
    pub first: u32,
    /// The number of IDs.
    pub count: u32,
}

/// The accounts of users, by the rules and /etc/subuid as they were when the rules were read.
#[derive(Clone, Debug, Default)]
pub struct UserAccounts {
    /// Users that a rule names themselves, each with an account of its own.
    named: BTreeSet<u32>,
    ranges: Vec<OwnedRange>,
    /// The names of this machine's own users.
    names: BTreeMap<u32, String>,
}

impl UserAccounts {
    /// The accounts where rules name the users `named`, and `ranges` can be taken by their owners.
    pub fn new(named: BTreeSet<u32>, ranges: Vec<OwnedRange>) -> Self {
        Self {
            named,
            ranges,
            names: BTreeMap::new(),
        }
    }

    /// The same with the names in `passwd` (passwd(5)). Of several names of a user the first counts, as for getpwuid(3).
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

    /// The user's name, if it is one of this machine's own.
    pub fn name(&self, uid: u32) -> Option<&str> {
        self.names.get(&uid).map(String::as_str)
    }

    /// The user whose account the user `uid` uses.
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

/// The user as messages name it: by name, or by number where it has none.
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
    fn whoever_can_become_many_has_one_account() {
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
