//! Decides whether a new connection gets a slot when slots are scarce.
//!
//! Four pools never take a slot from each other: root and the daemon's own user, who could do more harm than by connecting;
//! the users and token holders that an access rule names; all other users of the Unix socket; and the connections of the
//! loopback listener that have not presented a token yet. A user whom no rule names may have 65,536 user IDs
//! (newuidmap(1)), so all such users together count as one. The IDs of a user whom a rule names count as that user.

use std::collections::HashMap;
use std::rc::Rc;

/// Maximum number of HTTP connections of one user or token holder.
pub const PER_ORIGIN: usize = 64;

/// The slots for the connections of one protocol.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    trusted: usize,
    named: usize,
    unnamed: usize,
    without_token: usize,
    /// Slots of one user or token holder.
    per_origin: usize,
    /// Slots of the named pool that are reserved for origins with fewer than `guaranteed` connections, so that busy users cannot
    /// lock out another one.
    reserved: usize,
    /// Connections that each origin named by a rule is guaranteed.
    guaranteed: usize,
}

/// Slots for HTTP. All together stay well below the 1024 descriptors that a service has by default.
pub const HTTP_SLOTS: Slots = Slots {
    trusted: PER_ORIGIN,
    named: 448,
    unnamed: 32,
    without_token: 192,
    per_origin: PER_ORIGIN,
    reserved: 96,
    guaranteed: 8,
};

/// Slots for MQTT, whose connections stay open: one user may run everything on a gateway, a bridge and hundreds of sensors. The
/// unit's LimitNOFILE= has descriptors for all of them.
pub const MQTT_SLOTS: Slots = Slots {
    trusted: 512,
    named: 1024,
    unnamed: 16,
    without_token: 64,
    per_origin: 512,
    reserved: 256,
    guaranteed: 16,
};

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
    Unnamed,
    /// A connection of the loopback listener that has not presented a token yet.
    WithoutToken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    Trusted,
    Named,
    Unnamed,
    WithoutToken,
}

/// A connection that has a slot.
#[derive(Clone, Debug)]
pub struct OccupiedSlot<'a> {
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
            Self::Unnamed => Pool::Unnamed,
            Self::WithoutToken => Pool::WithoutToken,
        }
    }
}

impl Slots {
    fn of(&self, pool: Pool) -> usize {
        match pool {
            Pool::Trusted => self.trusted,
            Pool::Named => self.named,
            Pool::Unnamed => self.unnamed,
            Pool::WithoutToken => self.without_token,
        }
    }

    /// Returns the number of slots of one origin. Each of the last two pools is a single origin.
    fn per_origin(&self, pool: Pool) -> usize {
        match pool {
            Pool::Trusted | Pool::Named => self.per_origin,
            Pool::Unnamed | Pool::WithoutToken => self.of(pool),
        }
    }
}

/// Decides about a new connection of `newcomer`, given the connections that have a slot.
pub fn admit<'a>(
    slots: &Slots,
    occupied: impl Iterator<Item = OccupiedSlot<'a>> + Clone,
    newcomer: &Origin,
) -> Admission {
    let (pool, guaranteed) = (newcomer.pool(), slots.guaranteed);
    let in_pool = || {
        occupied
            .clone()
            .enumerate()
            .filter(|(_, one)| one.origin.pool() == pool)
    };
    let count_of = |origin: &Origin| in_pool().filter(|(_, one)| one.origin == origin).count();
    let own = count_of(newcomer);
    let available = match pool {
        Pool::Named if own >= guaranteed => slots.named - slots.reserved,
        Pool::Trusted | Pool::Named | Pool::Unnamed | Pool::WithoutToken => slots.of(pool),
    };
    if own < slots.per_origin(pool) && in_pool().count() < available {
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
        idlest(&|origin| own < guaranteed && counts.get(origin).is_some_and(|count| *count > guaranteed))
    };
    own_idlest()
        .or_else(others_idlest)
        .map_or(Admission::Refuse, Admission::Replace)
}

#[cfg(test)]
mod tests;
