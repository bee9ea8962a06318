//! The owner of a caller's durable subscriptions, and the account of its messages.

use super::caller::{Caller, Holder};
use super::peer::Peer;
use crate::config::Selectors;
use crate::messages::{Account, Owner, TokenOwner};

/// The group that nobody has: a rule about a group is not asked for the holder of a user's token.
const NO_GROUP: u32 = u32::MAX;

impl Caller {
    /// The account of the caller's messages: a user's, by whichever door, or a token's.
    pub fn message_account(&self) -> Account {
        match self {
            Self::Peer(Peer { account: uid, .. }) | Self::Bearer(Holder { uid: Some(uid), .. }) => {
                Account::of_user(*uid)
            }
            Self::Bearer(_) => self.owner(false).account(),
        }
    }

    /// The owner of what the caller is given now. `by_unit` says whether the rule that gives it selects by a unit: it is then the
    /// unit's, and not every process's of the same user.
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
            Self::Bearer(Holder { uid: Some(uid), .. }) => Owner::User {
                uid: *uid,
                gid: Some(NO_GROUP),
            },
            Self::Bearer(Holder { selectors, .. }) => Owner::Token(token_owner(selectors)),
        }
    }

    /// Whether the caller may see, acknowledge and delete what `owner` owns: as its user, or as its unit.
    pub fn is_owner(&self, owner: &Owner) -> bool {
        self.owner(false).is(owner) || self.owner(true).is(owner)
    }
}

/// A token's rule as its stable form.
pub fn token_owner(selectors: &Selectors) -> TokenOwner {
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let all = [
        ("user", selectors.user.clone()),
        ("group", selectors.group.clone()),
        ("uid", number(selectors.uid)),
        ("gid", number(selectors.gid)),
        ("unit", selectors.unit.clone()),
    ];
    let given = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
    TokenOwner(given.collect())
}
