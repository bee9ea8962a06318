//! Routes and rules in rtnetlink(7) messages, and whether they may hide another route.

use super::netlink::{attributes, u32_at};

// linux/rtnetlink.h
/// `rtm_type` of a route that leads somewhere.
pub(super) const RTN_UNICAST: u8 = 1;
/// `rtm_type` of routes that lead nowhere: RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, and RTN_THROW, which ends the lookup in
/// its table. The actions of rules have the same numbers (linux/fib_rules.h), but for the last, which they do not have.
const LEADS_NOWHERE: [u8; 4] = [6, 7, 8, 9];
/// `rtm_flags` of a cached copy of a route.
pub(super) const RTM_F_CLONED: u32 = 0x200;
pub(super) const RTA_DST: u16 = 1;
/// The attributes that make a route another one: RTA_DST, OIF, GATEWAY, PRIORITY, MULTIPATH, TABLE, VIA.
const ROUTE_ATTRIBUTES: [u16; 7] = [RTA_DST, 4, 5, 6, 9, 15, 18];
/// The attributes of a next hop: RTA_GATEWAY, MULTIPATH, VIA.
const NEXT_HOP: [u16; 3] = [5, 9, 18];

/// The properties that identify a route.
#[derive(Hash)]
pub(super) struct Route<'a> {
    /// Family, length of the destination, length of the source, type of service, table, protocol, scope, type.
    fixed: [u8; 8],
    attributes: Vec<(u16, &'a [u8])>,
    is_copy: bool,
}

impl<'a> Route<'a> {
    /// Reads a route; `None` if the message is too short.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let telling = attributes(body.get(12..)?).filter(|(name, _)| ROUTE_ATTRIBUTES.contains(name));
        Some(Self {
            fixed: *body.first_chunk()?,
            attributes: telling.collect(),
            is_copy: u32_at(body, 8)? & RTM_F_CLONED != 0,
        })
    }

    /// Returns whether traffic can take this route.
    pub(super) fn leads_somewhere(&self) -> bool {
        self.kind() == RTN_UNICAST && !self.is_copy
    }

    /// Returns whether this route may have hidden another one from traffic to AWS. Routes to single hosts without a next hop belong to
    /// containers, and each link has a link-local route.
    pub(super) fn covers_others(&self) -> bool {
        if self.is_copy {
            return false;
        }
        if LEADS_NOWHERE.contains(&self.kind()) {
            return true;
        }
        let [_, length, ..] = self.fixed;
        let destination = self.attribute(RTA_DST).unwrap_or_default();
        let is_host = !destination.is_empty() && usize::from(length) >= 8 * destination.len();
        let has_next_hop = self.attributes.iter().any(|(name, _)| NEXT_HOP.contains(name));
        self.kind() == RTN_UNICAST && (has_next_hop || !is_host) && !is_link_local(destination)
    }

    fn kind(&self) -> u8 {
        let [.., kind] = self.fixed;
        kind
    }

    fn attribute(&self, name: u16) -> Option<&'a [u8]> {
        let mut attributes = self.attributes.iter();
        attributes.find_map(|(other, value)| (*other == name).then_some(*value))
    }
}

/// Returns whether an address is link-local (169.254.0.0/16 or fe80::/10), or IPv6 multicast, which older kernels report as unicast.
fn is_link_local(destination: &[u8]) -> bool {
    match destination {
        [169, 254, _, _] => true,
        [first, second, rest @ ..] if rest.len() == 14 => *first == 0xff || (*first == 0xfe && second & 0xc0 == 0x80),
        _ => false,
    }
}

/// Returns whether a rule leads to a table or another rule, by its action. `None` for a message that is too short.
pub(super) fn rule_leads_somewhere(body: &[u8]) -> Option<bool> {
    Some(!LEADS_NOWHERE.contains(body.get(7)?))
}
