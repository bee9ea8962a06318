//! Tests that a removal is reported only if what was removed may have covered another route.

use super::super::routes::RTA_DST;
use super::*;

/// A link that a default route leads over.
const DEFAULT_LINK: u32 = 2;
/// A link of a container.
const VETH: u32 = 9;
const IPV4: u8 = 2;
const IPV6: u8 = 10;
const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Returns a route to `destination`, over a link, through a gateway if there is one.
fn route_to(kind: u16, family: u8, kind_of_route: u8, (destination, length): (&[u8], u8), gateway: &[u8]) -> Vec<u8> {
    let mut body = vec![family, length, 0, 0, 254, 3, 0, kind_of_route, 0, 0, 0, 0];
    if !destination.is_empty() {
        body.extend(attribute(RTA_DST, destination));
    }
    if !gateway.is_empty() {
        body.extend(attribute(5, gateway));
    }
    body.extend(attribute(4, &DEFAULT_LINK.to_ne_bytes()));
    message(kind, &body)
}

fn rule(kind: u16, family: u8, action: u8) -> Vec<u8> {
    message(kind, &[family, 0, 0, 0, 254, 0, 0, action, 0, 0, 0, 0])
}

/// Returns the news in the last datagram, if the link `DEFAULT_LINK` has a default route.
fn last_news(datagrams: &[Vec<u8>]) -> News {
    let mut changes = Changes::default();
    changes.add_default_link(DEFAULT_LINK);
    datagrams.iter().fold(Nothing, |_, datagram| changes.take(datagram))
}

#[test]
fn a_lost_link_is_reported_if_a_route_used_it() {
    let point_to_point = UP | IFF_POINTOPOINT;
    for (name, datagrams, expected) in [
        ("carrier lost", vec![link(RTM_NEWLINK, DEFAULT_LINK, IFF_UP)], Gone),
        ("set down", vec![link(RTM_NEWLINK, DEFAULT_LINK, 0)], Gone),
        ("removed", vec![link(RTM_DELLINK, DEFAULT_LINK, UP)], Gone),
        (
            "still no carrier",
            vec![
                link(RTM_NEWLINK, DEFAULT_LINK, IFF_UP),
                link(RTM_NEWLINK, DEFAULT_LINK, IFF_UP),
            ],
            Nothing,
        ),
        (
            "set down after its carrier was lost, when its routes go",
            vec![
                link(RTM_NEWLINK, DEFAULT_LINK, IFF_UP),
                link(RTM_NEWLINK, DEFAULT_LINK, 0),
            ],
            Gone,
        ),
        (
            "removed after it was set down",
            vec![link(RTM_NEWLINK, DEFAULT_LINK, 0), link(RTM_DELLINK, DEFAULT_LINK, 0)],
            Nothing,
        ),
        (
            "a link that is down gets set up, without a carrier",
            vec![
                link(RTM_NEWLINK, DEFAULT_LINK, 0),
                link(RTM_NEWLINK, DEFAULT_LINK, IFF_UP),
            ],
            Nothing,
        ),
        (
            "carrier lost again",
            vec![
                link(RTM_NEWLINK, DEFAULT_LINK, IFF_UP),
                link(RTM_NEWLINK, DEFAULT_LINK, UP),
                link(RTM_NEWLINK, DEFAULT_LINK, IFF_UP),
            ],
            Gone,
        ),
        ("a VPN is removed", vec![link(RTM_DELLINK, 7, point_to_point)], Gone),
        ("a modem is set down", vec![link(RTM_NEWLINK, 7, IFF_POINTOPOINT)], Gone),
        (
            "a container's link loses its peer",
            vec![link(RTM_NEWLINK, VETH, IFF_UP)],
            Nothing,
        ),
        (
            "a container's link is set down",
            vec![link(RTM_NEWLINK, VETH, 0)],
            Nothing,
        ),
        (
            "a container's link is removed",
            vec![link(RTM_DELLINK, VETH, UP)],
            Nothing,
        ),
        (
            "an index that is used again is another link",
            vec![
                link(RTM_DELLINK, DEFAULT_LINK, UP),
                link(RTM_NEWLINK, DEFAULT_LINK, UP),
                link(RTM_DELLINK, DEFAULT_LINK, UP),
            ],
            Nothing,
        ),
        ("loopback", vec![link(RTM_NEWLINK, 1, IFF_LOOPBACK)], Nothing),
    ] {
        assert_eq!(last_news(&datagrams), expected, "{name}");
    }
}

#[test]
fn a_lost_address_or_route_is_reported_if_it_may_have_hidden_another() {
    let gateway = [192, 0, 2, 1];
    let gone = |family, kind, to, gateway: &[u8]| route_to(RTM_DELROUTE, family, kind, to, gateway);
    let unicast = |family, to, gateway: &[u8]| gone(family, RTN_UNICAST, to, gateway);
    let six: &[u8] = &[0xfd; 16];
    for (name, datagram, expected) in [
        ("a default route", unicast(IPV4, (&[], 0), &gateway), Gone),
        ("a default route without a gateway", unicast(IPV4, (&[], 0), &[]), Gone),
        ("a default route of IPv6", unicast(IPV6, (&[], 0), &LINK_LOCAL), Gone),
        ("half of the world", unicast(IPV4, (&[128, 0, 0, 0], 1), &[]), Gone),
        ("an AWS network in a VPN", unicast(IPV4, (&[52, 0, 0, 0], 8), &[]), Gone),
        (
            "one AWS host through a gateway",
            unicast(IPV4, (&[52, 1, 2, 3], 32), &gateway),
            Gone,
        ),
        ("unreachable", gone(IPV4, 7, (&[], 0), &[]), Gone),
        ("blackhole", gone(IPV4, 6, (&[], 0), &[]), Gone),
        ("prohibit", gone(IPV6, 8, (&[], 0), &[]), Gone),
        ("throw", gone(IPV4, 9, (&[], 0), &[]), Gone),
        (
            "one AWS host, blackholed",
            gone(IPV4, 6, (&[52, 1, 2, 3], 32), &[]),
            Gone,
        ),
        (
            "a container's address",
            unicast(IPV4, (&[10, 0, 0, 7], 32), &[]),
            Nothing,
        ),
        ("a container's address of IPv6", unicast(IPV6, (six, 128), &[]), Nothing),
        ("link-local", unicast(IPV6, (&LINK_LOCAL, 64), &[]), Nothing),
        (
            "link-local of IPv4",
            unicast(IPV4, (&[169, 254, 0, 0], 16), &[]),
            Nothing,
        ),
        ("multicast", unicast(IPV6, (&[0xff; 16], 8), &[]), Nothing),
        (
            "a route to this machine",
            gone(IPV4, 2, (&[10, 0, 0, 1], 32), &[]),
            Nothing,
        ),
        ("a broadcast route", gone(IPV4, 3, (&[10, 0, 0, 255], 32), &[]), Nothing),
        (
            "a cached copy",
            route(RTM_DELROUTE, RTN_UNICAST, RTM_F_CLONED, &gateway),
            Nothing,
        ),
        ("an address", address(RTM_DELADDR, GLOBAL, 0, &gateway), Gone),
        ("an address of IPv6", address(RTM_DELADDR, GLOBAL, 0, six), Gone),
        (
            "a link-local address",
            address(RTM_DELADDR, LINK, 0, &LINK_LOCAL),
            Nothing,
        ),
    ] {
        assert_eq!(last_news(&[datagram]), expected, "{name}");
    }
    for kind in [6, 7, 8, 9] {
        let arrival = route_to(RTM_NEWROUTE, IPV4, kind, (&[], 0), &[]);
        assert_eq!(last_news(&[arrival]), Nothing, "type {kind} arrives");
    }
}

#[test]
fn a_rule_is_reported_when_it_appears_and_when_it_disappears() {
    for family in [IPV4, IPV6] {
        for (name, datagram, expected) in [
            ("to a table", rule(RTM_NEWRULE, family, 1), Appeared),
            ("to another rule", rule(RTM_NEWRULE, family, 2), Appeared),
            ("unreachable", rule(RTM_NEWRULE, family, 7), Nothing),
            ("blackhole", rule(RTM_NEWRULE, family, 6), Nothing),
            ("to a table, removed", rule(RTM_DELRULE, family, 1), Gone),
            ("prohibit, removed", rule(RTM_DELRULE, family, 8), Gone),
            ("cut short", message(RTM_NEWRULE, &[family, 0]), Nothing),
        ] {
            assert_eq!(last_news(&[datagram]), expected, "{name}, family {family}");
        }
    }
}

#[test]
fn an_appearance_outweighs_a_disappearance() {
    let (gone, appeared) = (rule(RTM_DELRULE, IPV4, 1), rule(RTM_NEWRULE, IPV4, 1));
    for datagram in [[gone.clone(), appeared.clone()].concat(), [appeared, gone].concat()] {
        assert_eq!(last_news(&[datagram]), Appeared);
    }
}
