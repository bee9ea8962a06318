//! Decides whether a new connection gets a slot when slots are scarce.
//!
//! Four pools never take a slot from each other: root and the daemon's own user, who could do more harm than by connecting;
//! the users and token holders that an access rule names; all other users of the Unix socket; and the connections of the
//! loopback listener that have not presented a token yet. A user whom no rule names may have 65,536 user IDs
//! (newuidmap(1)), so all such users together count as one. The IDs of a user whom a rule names count as that user.

use std::collections::HashMap;
use std::rc::Rc;

/// Maximum number of connections of one user or token holder.
pub const PER_ORIGIN: usize = 64;
/// Slots of the named pool that are reserved for origins with fewer than [`GUARANTEED`] connections, so that seven busy users
/// cannot lock out an eighth.
const RESERVED: usize = 96;
/// Connections that each origin named by a rule is guaranteed.
const GUARANTEED: usize = 8;

/// The user or token holder that a connection is counted under, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Root, or the user that the daemon runs as.
    Trusted,
    /// A user on the Unix socket whom an access rule names, by its account, which all user IDs that it may take share.
    User(u32),
    /// The holder of a token, by its account.
    Bearer(Rc<str>),
    /// A user on the Unix socket whom no rule names.
    Stranger,
    /// A connection of the loopback listener that has not presented a token yet.
    Unproven,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    Trusted,
    Named,
    Strangers,
    Unproven,
}

/// A connection that has a slot.
#[derive(Clone, Debug)]
pub struct Occupant<'a> {
    /// The user or token holder behind it.
    pub origin: &'a Origin,
    /// Sequence number of its last request.
    pub last_request: u64,
    /// Whether a request is being answered on it. Such a connection is never evicted.
    pub is_busy: bool,
}

/// The decision about a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// There is a free slot.
    Enter,
    /// The connection at this index is evicted.
    Replace(usize),
    /// There is no free slot, and no connection that may be evicted.
    Refuse,
}

impl Origin {
    fn pool(&self) -> Pool {
        match self {
            Self::Trusted => Pool::Trusted,
            Self::User(_) | Self::Bearer(_) => Pool::Named,
            Self::Stranger => Pool::Strangers,
            Self::Unproven => Pool::Unproven,
        }
    }
}

impl Pool {
    /// Returns the number of slots. All pools together stay well below the 1024 descriptors that a service has by default.
    fn slots(self) -> usize {
        match self {
            Self::Trusted => PER_ORIGIN,
            Self::Named => 448,
            Self::Strangers => 32,
            Self::Unproven => 192,
        }
    }

    /// Returns the number of slots of one origin. Each of the last two pools is a single origin.
    fn slots_per_origin(self) -> usize {
        match self {
            Self::Trusted | Self::Named => PER_ORIGIN,
            Self::Strangers | Self::Unproven => self.slots(),
        }
    }
}

/// Decides about a new connection of `newcomer`, given the connections that have a slot.
pub fn admit<'a>(occupants: impl Iterator<Item = Occupant<'a>> + Clone, newcomer: &Origin) -> Admission {
    let pool = newcomer.pool();
    let in_pool = || {
        occupants
            .clone()
            .enumerate()
            .filter(|(_, one)| one.origin.pool() == pool)
    };
    let count_of = |origin: &Origin| in_pool().filter(|(_, one)| one.origin == origin).count();
    let own = count_of(newcomer);
    let slots = match pool {
        Pool::Named if own >= GUARANTEED => pool.slots() - RESERVED,
        Pool::Trusted | Pool::Named | Pool::Strangers | Pool::Unproven => pool.slots(),
    };
    if own < pool.slots_per_origin() && in_pool().count() < slots {
        return Admission::Enter;
    }
    let idlest = |from: &dyn Fn(&Origin) -> bool| {
        let idle = in_pool().filter(|(_, one)| !one.is_busy && from(one.origin));
        idle.min_by_key(|(_, one)| one.last_request).map(|(index, _)| index)
    };
    let own_idlest = || idlest(&|origin| origin == newcomer);
    // An origin above the guarantee gives a connection up for a newcomer below it; among equals nobody does.
    let others_idlest = || {
        let mut counts: HashMap<&Origin, usize> = HashMap::new();
        in_pool().for_each(|(_, one)| *counts.entry(one.origin).or_default() += 1);
        idlest(&|origin| own < GUARANTEED && counts.get(origin).is_some_and(|count| *count > GUARANTEED))
    };
    own_idlest()
        .or_else(others_idlest)
        .map_or(Admission::Refuse, Admission::Replace)
}

#[cfg(test)]
mod tests;
