//! Tests of rtnetlink messages, and which of them are news.

mod removals;

use super::News::{Appeared, Gone, Nothing};
use super::netlink::HEADER;
use super::routes::{RTM_F_CLONED, RTN_UNICAST};
use super::*;

const GLOBAL: u8 = RT_SCOPE_UNIVERSE;
const LINK: u8 = 253;
const UP: u32 = IFF_LOWER_UP | 1;

fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 10]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attribute(name: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [length.to_ne_bytes(), name.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn link(kind: u16, index: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend([0; 4]);
    message(kind, &body)
}

fn address(kind: u16, scope: u8, flags: u8, address: &[u8]) -> Vec<u8> {
    let mut body = vec![2, 24, flags, scope];
    body.extend(2_u32.to_ne_bytes());
    body.extend(attribute(IFA_ADDRESS, address));
    // IFA_CACHEINFO, which differs each time.
    body.extend(attribute(6, &fastrand::u128(..).to_ne_bytes()));
    message(kind, &body)
}

fn route(kind: u16, kind_of_route: u8, flags: u32, gateway: &[u8]) -> Vec<u8> {
    let mut body = vec![2, 0, 0, 0, 254, 3, 0, kind_of_route];
    body.extend(flags.to_ne_bytes());
    body.extend(attribute(5, gateway));
    // RTA_CACHEINFO
    body.extend(attribute(12, &fastrand::u128(..).to_ne_bytes()));
    message(kind, &body)
}

#[test]
fn only_what_was_not_there_before_is_news() {
    let six = [0xfd; 16];
    let cases: Vec<(&str, Vec<Vec<u8>>, News)> = vec![
        ("a link comes up", vec![link(RTM_NEWLINK, 2, UP)], Appeared),
        ("a link without a carrier", vec![link(RTM_NEWLINK, 2, 1)], Nothing),
        ("loopback", vec![link(RTM_NEWLINK, 1, UP | IFF_LOOPBACK)], Nothing),
        (
            "statistics of a link that is up",
            vec![link(RTM_NEWLINK, 2, UP), link(RTM_NEWLINK, 2, UP)],
            Nothing,
        ),
        (
            "a link without a default route goes down",
            vec![link(RTM_NEWLINK, 2, UP), link(RTM_NEWLINK, 2, 1)],
            Nothing,
        ),
        (
            "and up again",
            vec![
                link(RTM_NEWLINK, 2, UP),
                link(RTM_NEWLINK, 2, 1),
                link(RTM_NEWLINK, 2, UP),
            ],
            Appeared,
        ),
        (
            "removed and plugged in again",
            vec![
                link(RTM_NEWLINK, 2, UP),
                link(RTM_DELLINK, 2, UP),
                link(RTM_NEWLINK, 2, UP),
            ],
            Appeared,
        ),
        (
            "a second link",
            vec![link(RTM_NEWLINK, 2, UP), link(RTM_NEWLINK, 3, UP)],
            Appeared,
        ),
        (
            "an address",
            vec![address(RTM_NEWADDR, GLOBAL, 0, &[192, 0, 2, 2])],
            Appeared,
        ),
        ("an IPv6 address", vec![address(RTM_NEWADDR, GLOBAL, 0, &six)], Appeared),
        (
            "a link-local address",
            vec![address(RTM_NEWADDR, LINK, 0, &six)],
            Nothing,
        ),
        (
            "a tentative address",
            vec![address(RTM_NEWADDR, GLOBAL, 0x40, &six)],
            Nothing,
        ),
        (
            "that is tentative no more",
            vec![
                address(RTM_NEWADDR, GLOBAL, 0x40, &six),
                address(RTM_NEWADDR, GLOBAL, 0, &six),
            ],
            Appeared,
        ),
        (
            "an address renewed by a router advertisement",
            vec![
                address(RTM_NEWADDR, GLOBAL, 0, &six),
                address(RTM_NEWADDR, GLOBAL, 0, &six),
            ],
            Nothing,
        ),
        ("an address goes", vec![address(RTM_DELADDR, GLOBAL, 0, &six)], Gone),
        (
            "and comes again",
            vec![
                address(RTM_NEWADDR, GLOBAL, 0, &six),
                address(RTM_DELADDR, GLOBAL, 0, &six),
                address(RTM_NEWADDR, GLOBAL, 0, &six),
            ],
            Appeared,
        ),
        (
            "a default route",
            vec![route(RTM_NEWROUTE, RTN_UNICAST, 0, &[192, 0, 2, 1])],
            Appeared,
        ),
        (
            "the same route",
            vec![
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[192, 0, 2, 1]),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[192, 0, 2, 1]),
            ],
            Nothing,
        ),
        (
            "by another gateway",
            vec![
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[192, 0, 2, 1]),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[192, 0, 2, 9]),
            ],
            Appeared,
        ),
        (
            "removed and added",
            vec![
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
                route(RTM_DELROUTE, RTN_UNICAST, 0, &[1; 4]),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
            ],
            Appeared,
        ),
        (
            "taken away with its link, and added again",
            vec![
                link(RTM_NEWLINK, 2, UP),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
                link(RTM_NEWLINK, 2, 1),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
            ],
            Appeared,
        ),
        (
            "taken away with a link that was up at the start",
            vec![
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
                link(RTM_NEWLINK, 2, 1),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
            ],
            Appeared,
        ),
        (
            "not taken away by another link that stays down",
            vec![
                link(RTM_NEWLINK, 3, 1),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
                link(RTM_NEWLINK, 3, 1),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
            ],
            Nothing,
        ),
        (
            "taken away with its address, and added again",
            vec![
                address(RTM_NEWADDR, GLOBAL, 0, &[192, 0, 2, 2]),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
                address(RTM_DELADDR, GLOBAL, 0, &[192, 0, 2, 2]),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
            ],
            Appeared,
        ),
        (
            "taken away with an address of before the start",
            vec![
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
                address(RTM_DELADDR, GLOBAL, 0, &[192, 0, 2, 2]),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
            ],
            Appeared,
        ),
        (
            "not taken away with a link-local address",
            vec![
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
                address(RTM_DELADDR, LINK, 0, &six),
                route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4]),
            ],
            Nothing,
        ),
        (
            "an unreachable route",
            vec![route(RTM_NEWROUTE, 7, 0, &[1; 4])],
            Nothing,
        ),
        ("a local route", vec![route(RTM_NEWROUTE, 2, 0, &[1; 4])], Nothing),
        (
            "a cached route",
            vec![route(RTM_NEWROUTE, RTN_UNICAST, RTM_F_CLONED, &[1; 4])],
            Nothing,
        ),
        ("a neighbour", vec![message(28, &[0; 12])], Nothing),
        (
            "two messages in one datagram",
            vec![[link(RTM_NEWLINK, 2, 1), address(RTM_NEWADDR, GLOBAL, 0, &six)].concat()],
            Appeared,
        ),
    ];
    for (name, datagrams, expected) in cases {
        let mut changes = Changes::default();
        let mut last = Nothing;
        for datagram in &datagrams {
            last = changes.take(datagram);
        }
        assert_eq!(last, expected, "{name}");
    }
}

#[test]
fn malformed_messages_say_nothing() {
    let good = [link(RTM_NEWLINK, 2, UP), route(RTM_NEWROUTE, RTN_UNICAST, 0, &[1; 4])];
    for message in &good {
        for length in 0..message.len() {
            Changes::default().take(&message[..length]);
        }
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..10_000 {
            let mut bytes = message.clone();
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
            Changes::default().take(&bytes);
        }
    }
    assert_eq!(Changes::default().take(&[]), Nothing);
    assert_eq!(Changes::default().take(&[0; 64]), Nothing, "a length of zero ends it");
    assert_eq!(Changes::default().take(&[0xff; 64]), Nothing);
}

#[test]
fn remembered_filters_are_bounded() {
    let mut changes = Changes::default();
    for index in 0..10_000_u32 {
        changes.take(&route(RTM_NEWROUTE, RTN_UNICAST, 0, &index.to_ne_bytes()));
        changes.take(&link(RTM_NEWLINK, index, 1));
        changes.add_default_link(index);
        assert!(changes.known.len() <= MAX_KNOWN && changes.down.len() <= MAX_KNOWN);
        assert!(changes.default_links.len() <= MAX_KNOWN);
    }
}
