//! Reads rtnetlink(7) messages, and tells which of them may make AWS reachable again: a link that came up, a new address, route or rule,
//! or the loss of something that hid another route. It has no socket.
//!
//! The kernel repeats reports (IPv6 router advertisements renew addresses every few minutes, wireless drivers report link statistics), so
//! known objects are not news.

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
/// Flag of an address whose duplicate detection is not finished. The kernel reports the address again afterwards.
const IFA_F_TENTATIVE: u32 = 0x40;
/// `ifa_scope` of addresses that reach beyond this machine and this link.
const RT_SCOPE_UNIVERSE: u8 = 0;

/// Number of links, addresses and routes at which all are forgotten, which only costs needless wake-ups. A host with more is a router.
const MAX_KNOWN: usize = 512;

/// Links, addresses and routes that were reported.
#[derive(Debug, Default)]
pub(super) struct Changes {
    known: HashSet<u64>,
    /// Links that were last reported as down, and how far.
    down: HashMap<u32, Depth>,
    /// Links of default routes.
    default_links: HashSet<u32>,
}

/// Significance of a kernel report for connections to AWS, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    Nothing,
    /// Something has disappeared that may have hidden another route. It counts only while a default route remains.
    Gone,
    Appeared,
}

/// How far down a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    /// No carrier. Its routes stay, and hide others until they are removed.
    NoCarrier,
    /// Set down or removed: the kernel has removed its routes.
    Off,
}

/// An object of the network, whose hash is remembered.
#[derive(Hash)]
enum Object<'a> {
    /// A link that has a carrier.
    Link(u32),
    Address(u32, &'a [u8]),
    Route(&'a Route<'a>),
}

impl Changes {
    /// Reads a datagram from the kernel, and returns the most significant news in it. Malformed messages are ignored.
    pub(super) fn take(&mut self, mut datagram: &[u8]) -> News {
        let mut news = News::Nothing;
        while let Some((kind, body, rest)) = split_message(datagram) {
            news = news.max(self.apply(kind, body).unwrap_or(News::Nothing));
            datagram = rest;
        }
        news
    }

    /// Applies one message; `None` if it is too short.
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
                    // The kernel removes the routes of a link without reporting it.
                    self.known.clear();
                }
                // Links of containers come and go without a default route. Modems and VPNs are point-to-point, and may have
                // their routes in tables that default_route does not see.
                let was_default = flags & IFF_POINTOPOINT != 0 || self.default_links.contains(&index);
                if kind == RTM_DELLINK {
                    self.default_links.remove(&index);
                }
                self.set(&Object::Link(index), depth.is_none(), goes_down && was_default)
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
                    // With the last address of a link the kernel removes its routes without reporting it.
                    self.known.clear();
                }
                let goes = kind == RTM_DELADDR && scope == RT_SCOPE_UNIVERSE;
                self.set(&Object::Address(index, address), kind == RTM_NEWADDR && usable, goes)
            }
            RTM_NEWROUTE | RTM_DELROUTE => {
                let route = Route::read(body)?;
                let goes = kind == RTM_DELROUTE && route.covers_others();
                let appears = kind == RTM_NEWROUTE && route.leads_somewhere();
                self.set(&Object::Route(&route), appears, goes)
            }
            RTM_NEWRULE if rule_leads_somewhere(body)? => News::Appeared,
            RTM_DELRULE => News::Gone,
            _ => News::Nothing,
        })
    }

    /// Records how far down a link is. Returns whether it went down, or further down, with this report. A link without earlier reports may
    /// have been up.
    fn goes_down(&mut self, index: u32, depth: Option<Depth>) -> bool {
        let Some(depth) = depth else {
            self.down.remove(&index);
            return false;
        };
        if self.down.len() >= MAX_KNOWN {
            self.down.clear();
        }
        self.down.insert(index, depth).is_none_or(|before| depth > before)
    }

    /// Records a link of a default route.
    pub(super) fn add_default_link(&mut self, index: u32) {
        if self.default_links.len() >= MAX_KNOWN {
            self.default_links.clear();
        }
        self.default_links.insert(index);
    }

    /// Returns whether this link was last reported as down.
    pub(super) fn is_down(&self, index: u32) -> bool {
        self.down.contains_key(&index)
    }

    /// Records whether `object` exists; `goes` if its disappearance is news.
    fn set(&mut self, object: &Object, is_there: bool, goes: bool) -> News {
        if !is_there {
            self.known.remove(&hash(object));
            return if goes { News::Gone } else { News::Nothing };
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        match self.known.insert(hash(object)) {
            true => News::Appeared,
            false => News::Nothing,
        }
    }
}

fn hash(object: &Object) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
