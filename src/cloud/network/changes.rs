//! Reads rtnetlink(7) messages and tells which of them may let AWS be reached again: a link that came up, a new address, a new
//! route. Pure: no socket.
//!
//! The kernel repeats itself (IPv6 router advertisements renew addresses every few minutes, wireless drivers report link
//! statistics), so what is known already is no news.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

// linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
/// `rtm_type` of a route that leads somewhere.
const RTN_UNICAST: u8 = 1;
/// `rtm_flags` of a cached copy of a route.
const RTM_F_CLONED: u32 = 0x200;
/// The attributes that make a route another one: RTA_DST, OIF, GATEWAY, PRIORITY, MULTIPATH, TABLE, VIA.
const ROUTE_ATTRIBUTES: [u16; 7] = [1, 4, 5, 6, 9, 15, 18];
// linux/if.h
const IFF_LOOPBACK: u32 = 0x8;
const IFF_LOWER_UP: u32 = 0x1_0000;
// linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
/// Duplicate address detection is not finished; the kernel reports the address again when it is.
const IFA_F_TENTATIVE: u32 = 0x40;
/// `ifa_scope` of addresses that reach beyond this machine and this link.
const RT_SCOPE_UNIVERSE: u8 = 0;

/// A host with more links, addresses and routes than this is a router; it forgets, and wakes up needlessly.
const MOST_KNOWN: usize = 512;

const HEADER: usize = 16;

/// The links, addresses and routes that have been reported.
#[derive(Debug, Default)]
pub(super) struct Changes {
    known: HashSet<u64>,
    /// Links whose last report said that they are down.
    down: HashSet<u32>,
}

/// One thing of the network; its hash is remembered.
#[derive(Hash)]
enum Thing<'a> {
    /// A link that has a carrier.
    Link(u32),
    Address(u32, &'a [u8]),
    Route(&'a [u8], Vec<(u16, &'a [u8])>),
}

impl Changes {
    /// Takes a datagram of the kernel's, and returns whether something in it may let AWS be reached. What is malformed says
    /// nothing.
    pub(super) fn take(&mut self, mut datagram: &[u8]) -> bool {
        let mut news = false;
        while let Some((kind, body, rest)) = split_message(datagram) {
            news |= self.apply(kind, body).unwrap_or(false);
            datagram = rest;
        }
        news
    }

    /// `None` for a message that is too short.
    fn apply(&mut self, kind: u16, body: &[u8]) -> Option<bool> {
        Some(match kind {
            RTM_NEWLINK | RTM_DELLINK => {
                let (index, flags) = (u32_at(body, 4)?, u32_at(body, 8)?);
                if flags & IFF_LOOPBACK != 0 {
                    return Some(false);
                }
                let is_up = kind == RTM_NEWLINK && flags & IFF_LOWER_UP != 0;
                if self.goes_down(index, is_up) {
                    // The kernel takes routes away with their link without a word.
                    self.known.clear();
                }
                self.set(&Thing::Link(index), is_up)
            }
            RTM_NEWADDR | RTM_DELADDR => {
                let (scope, index) = (*body.get(3)?, u32_at(body, 4)?);
                let mut flags = u32::from(*body.get(2)?);
                let mut address: &[u8] = &[];
                for (name, value) in attributes(body.get(8..)?) {
                    match name {
                        IFA_ADDRESS if address.is_empty() => address = value,
                        // On a point-to-point link the other one is the peer's.
                        IFA_LOCAL => address = value,
                        IFA_FLAGS => flags = u32_at(value, 0)?,
                        _ => {}
                    }
                }
                let usable = scope == RT_SCOPE_UNIVERSE && flags & IFA_F_TENTATIVE == 0;
                if kind == RTM_DELADDR && scope == RT_SCOPE_UNIVERSE {
                    // With the last address of a link the kernel takes its routes away without a word.
                    self.known.clear();
                }
                self.set(&Thing::Address(index, address), kind == RTM_NEWADDR && usable)
            }
            RTM_NEWROUTE | RTM_DELROUTE => {
                let (fixed, flags) = (body.get(..8)?, u32_at(body, 8)?);
                if *body.get(7)? != RTN_UNICAST || flags & RTM_F_CLONED != 0 {
                    return Some(false);
                }
                let telling = attributes(body.get(12..)?).filter(|(name, _)| ROUTE_ATTRIBUTES.contains(name));
                self.set(&Thing::Route(fixed, telling.collect()), kind == RTM_NEWROUTE)
            }
            _ => false,
        })
    }

    /// Remembers whether a link is up; whether it went down just now. It may have been up since before the first report.
    fn goes_down(&mut self, index: u32, is_up: bool) -> bool {
        if is_up {
            self.down.remove(&index);
            return false;
        }
        if self.down.len() >= MOST_KNOWN {
            self.down.clear();
        }
        self.down.insert(index)
    }

    /// Whether the last report of this link said that it is down.
    pub(super) fn is_down(&self, index: u32) -> bool {
        self.down.contains(&index)
    }

    /// Remembers that `thing` is there or not; whether it has appeared.
    fn set(&mut self, thing: &Thing, is_there: bool) -> bool {
        if !is_there {
            self.known.remove(&hash(thing));
            return false;
        }
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(hash(thing))
    }
}

fn hash(thing: &Thing) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}

/// The first message of a datagram: its type, its body, and what follows it.
fn split_message(datagram: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
    let body = datagram.get(HEADER..length)?;
    let rest = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((u16_at(datagram, 4)?, body, rest))
}

/// Attributes by name; ends at the first that is malformed.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let name = u16_at(bytes, 2)?;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((name, value))
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

#[cfg(test)]
mod tests;
