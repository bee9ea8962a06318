//! Reads rtnetlink(7) messages and tells which of them may let AWS be reached again: a link that came up, a new address, a new
//! route or rule; or the end of something that covered another way. Pure: no socket.
//!
//! The kernel repeats itself (IPv6 router advertisements renew addresses every few minutes, wireless drivers report link
//! statistics), so what is known already is no news.

mod netlink;
mod routes;

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use self::netlink::{attributes, split_message, u32_at};
use self::routes::{Route, rule_leads_somewhere};

// linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
// linux/if.h
const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_POINTOPOINT: u32 = 0x10;
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

/// The links, addresses and routes that have been reported.
#[derive(Debug, Default)]
pub(super) struct Changes {
    known: HashSet<u64>,
    /// Links whose last report said that they are down, and how far.
    down: HashMap<u32, Depth>,
    /// Links that a default route has led over.
    ways: HashSet<u32>,
}

/// Significance of a kernel report for connections to AWS, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    Nothing,
    /// Something has gone that may have covered another way: news while a way remains.
    Gone,
    Appeared,
}

/// How far down a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    /// Its routes stay, and go on covering others until somebody removes them.
    NoCarrier,
    /// Set down or removed: the kernel has removed its routes.
    Off,
}

/// One thing of the network; its hash is remembered.
#[derive(Hash)]
enum Thing<'a> {
    /// A link that has a carrier.
    Link(u32),
    Address(u32, &'a [u8]),
    Route(&'a Route<'a>),
}

impl Changes {
    /// Takes a datagram of the kernel's, and returns the most telling news in it. What is malformed says nothing.
    pub(super) fn take(&mut self, mut datagram: &[u8]) -> News {
        let mut news = News::Nothing;
        while let Some((kind, body, rest)) = split_message(datagram) {
            news = news.max(self.apply(kind, body).unwrap_or(News::Nothing));
            datagram = rest;
        }
        news
    }

    /// `None` for a message that is too short.
    fn apply(&mut self, kind: u16, body: &[u8]) -> Option<News> {
        Some(match kind {
            RTM_NEWLINK | RTM_DELLINK => {
                let (index, flags) = (u32_at(body, 4)?, u32_at(body, 8)?);
                if flags & IFF_LOOPBACK != 0 {
                    return Some(News::Nothing);
                }
                let depth = match kind {
                    RTM_NEWLINK if flags & IFF_LOWER_UP != 0 => None,
                    RTM_NEWLINK if flags & IFF_UP != 0 => Some(Depth::NoCarrier),
                    _ => Some(Depth::Off),
                };
                let goes_down = self.goes_down(index, depth);
                if goes_down {
                    // The kernel takes routes away with their link without a word.
                    self.known.clear();
                }
                // Links of containers come and go without a default route. Modems and VPNs are point-to-point, and may have
                // their routes in tables that way_out does not see.
                let was_way = flags & IFF_POINTOPOINT != 0 || self.ways.contains(&index);
                if kind == RTM_DELLINK {
                    self.ways.remove(&index);
                }
                self.set(&Thing::Link(index), depth.is_none(), goes_down && was_way)
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
                let goes = kind == RTM_DELADDR && scope == RT_SCOPE_UNIVERSE;
                self.set(&Thing::Address(index, address), kind == RTM_NEWADDR && usable, goes)
            }
            RTM_NEWROUTE | RTM_DELROUTE => {
                let route = Route::read(body)?;
                let goes = kind == RTM_DELROUTE && route.covers_others();
                let appears = kind == RTM_NEWROUTE && route.leads_somewhere();
                self.set(&Thing::Route(&route), appears, goes)
            }
            RTM_NEWRULE if rule_leads_somewhere(body)? => News::Appeared,
            RTM_DELRULE => News::Gone,
            _ => News::Nothing,
        })
    }

    /// Remembers how far down a link is, if it is; whether it went down, or further down, just now. It may have been up since
    /// before the first report.
    fn goes_down(&mut self, index: u32, depth: Option<Depth>) -> bool {
        let Some(depth) = depth else {
            self.down.remove(&index);
            return false;
        };
        if self.down.len() >= MOST_KNOWN {
            self.down.clear();
        }
        self.down.insert(index, depth).is_none_or(|before| depth > before)
    }

    /// Remembers that a default route leads over this link.
    pub(super) fn add_way(&mut self, index: u32) {
        if self.ways.len() >= MOST_KNOWN {
            self.ways.clear();
        }
        self.ways.insert(index);
    }

    /// Whether the last report of this link said that it is down.
    pub(super) fn is_down(&self, index: u32) -> bool {
        self.down.contains_key(&index)
    }

    /// Remembers that `thing` is there or not; `goes` where its end is news.
    fn set(&mut self, thing: &Thing, is_there: bool, goes: bool) -> News {
        if !is_there {
            self.known.remove(&hash(thing));
            return if goes { News::Gone } else { News::Nothing };
        }
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        match self.known.insert(hash(thing)) {
            true => News::Appeared,
            false => News::Nothing,
        }
    }
}

fn hash(thing: &Thing) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
