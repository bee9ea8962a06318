//! Decides which caller gets a connection when places are scarce.
//!
//! There are four pools that never take a place from each other: the users that could do worse than ask (root and the
//! daemon's own), the users and token holders that an access rule names, everybody else on the Unix socket, and the
//! connections of the loopback listener that have not shown a token yet. A user whom no rule names may have 65,536 user
//! IDs (newuidmap(1)), so all such users together count as one; those of a user whom a rule names count as that user.

use std::collections::HashMap;
use std::rc::Rc;

/// Connections of one user or token holder.
pub const PER_ORIGIN: usize = 64;
/// Places among the named that are kept for those who have fewer than [`FEW`]: seven busy users do not keep an eighth out.
const RESERVED: usize = 96;
/// Connections that everybody whom a rule names can rely on.
const FEW: usize = 8;

/// The user or token holder behind a connection, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Root, or the user that the daemon runs as.
    Trusted,
    /// A user on the Unix socket whom an access rule names, by its account: all that it can become is one.
    User(u32),
    /// The holder of a token, by its account.
    Bearer(Rc<str>),
    /// A user on the Unix socket whom no rule names.
    Stranger,
    /// A connection of the loopback listener that has shown no token yet.
    Unproven,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    Trusted,
    Named,
    Strangers,
    Unproven,
}

/// One connection that has a place.
#[derive(Clone, Debug)]
pub struct Occupant<'a> {
    /// The user or token holder behind it.
    pub origin: &'a Origin,
    /// When it was last heard of: a count, not a time.
    pub heard: u64,
    /// Whether a request is being answered on it: such a connection never makes room.
    pub busy: bool,
}

/// The decision about a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// There is room.
    Enter,
    /// The connection at this index makes room.
    Replace(usize),
    /// There is no room, and nobody who could make some.
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
    /// Places. All pools together stay well below the 1024 descriptors that a service may have by default.
    fn places(self) -> usize {
        match self {
            Self::Trusted => PER_ORIGIN,
            Self::Named => 448,
            Self::Strangers => 32,
            Self::Unproven => 192,
        }
    }

    /// Places of one origin: the last two pools are one origin each.
    fn places_of_one(self) -> usize {
        match self {
            Self::Trusted | Self::Named => PER_ORIGIN,
            Self::Strangers | Self::Unproven => self.places(),
        }
    }
}

/// Decides on a newcomer, beside the connections that have a place.
pub fn admit<'a>(occupants: impl Iterator<Item = Occupant<'a>> + Clone, newcomer: &Origin) -> Admission {
    let pool = newcomer.pool();
    let in_pool = || {
        occupants
            .clone()
            .enumerate()
            .filter(|(_, one)| one.origin.pool() == pool)
    };
    let of = |origin: &Origin| in_pool().filter(|(_, one)| one.origin == origin).count();
    let own = of(newcomer);
    let places = match pool {
        Pool::Named if own >= FEW => pool.places() - RESERVED,
        Pool::Trusted | Pool::Named | Pool::Strangers | Pool::Unproven => pool.places(),
    };
    if own < pool.places_of_one() && in_pool().count() < places {
        return Admission::Enter;
    }
    let quietest = |from: &dyn Fn(&Origin) -> bool| {
        let idle = in_pool().filter(|(_, one)| !one.busy && from(one.origin));
        idle.min_by_key(|(_, one)| one.heard).map(|(index, _)| index)
    };
    let own_quietest = || quietest(&|origin| origin == newcomer);
    // Whoever has more than the newcomer makes room for it; among equals everybody keeps what it has.
    let others_quietest = || {
        let mut counts: HashMap<&Origin, usize> = HashMap::new();
        in_pool().for_each(|(_, one)| *counts.entry(one.origin).or_default() += 1);
        quietest(&|origin| own < FEW && counts.get(origin).is_some_and(|count| *count > FEW))
    };
    own_quietest()
        .or_else(others_quietest)
        .map_or(Admission::Refuse, Admission::Replace)
}

#[cfg(test)]
mod tests;
