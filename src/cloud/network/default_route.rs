//! Reports whether this machine has a default route over a link that is up.

use std::fs;

use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::changes::Changes;
use crate::problem::Problem;
use crate::status::{NetworkDetails, NetworkPhase, Reporter};

/// RTF_UP and RTF_REJECT (linux/route.h).
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// Reports the default route, once there was one.
#[derive(Debug)]
pub(super) struct DefaultRoute {
    reporter: NetworkReporter,
    has_proxy: bool,
    had_one: bool,
}

/// Reporter of this machine's network.
pub type NetworkReporter = Reporter<NetworkPhase, NetworkDetails>;

impl DefaultRoute {
    /// Creates the state before the first check.
    pub(super) fn new(reporter: NetworkReporter, has_proxy: bool) -> Self {
        Self {
            reporter,
            has_proxy,
            had_one: false,
        }
    }

    /// Reads the routes, reports changes, and returns whether AWS may be reachable. A machine that never had a default route, or
    /// that has a proxy, may reach AWS in another way.
    pub(super) fn check(&mut self, changes: &mut Changes) -> bool {
        let links = default_links();
        for index in links.iter().filter_map(|link| index(link)) {
            changes.add_default_link(index);
        }
        let up = links_up(&links, changes);
        if self.has_proxy || up.is_empty() && !self.had_one {
            return true;
        }
        self.had_one = true;
        match up.is_empty() {
            false => self.reporter.report(NetworkPhase::Up, None),
            true => self.reporter.report(NetworkPhase::Down, Some(why_down(&links))),
        }
        !up.is_empty()
    }
}

/// Returns the problem of a machine without a usable default route.
fn why_down(links: &[String]) -> Problem {
    let message = match links {
        [] => "this machine has lost its default route".to_owned(),
        links => format!("this machine has lost its network: no carrier on {}", links.join(", ")),
    };
    Problem::wait(message).next("check the cable, the modem or the wireless network: ip link, ip route")
}

/// Returns the names of the links of default routes.
fn default_links() -> Vec<String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let mut links = ipv4(&read("/proc/net/route"));
    links.extend(ipv6(&read("/proc/net/ipv6_route")));
    links.sort_unstable();
    links.dedup();
    links
}

/// Returns the links that were not last reported as down.
fn links_up<'a>(links: &'a [String], changes: &Changes) -> Vec<&'a String> {
    let is_up = |link: &&String| index(link).is_none_or(|index| !changes.is_down(index));
    links.iter().filter(is_up).collect()
}

/// Parses /proc/net/route: interface, destination, gateway, flags, ..., mask (linux/net/ipv4/fib_trie.c, fib_route_seq_show).
fn ipv4(table: &str) -> Vec<String> {
    let lines = table.lines().skip(1);
    lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (link, destination, mask) = (fields.first()?, fields.get(1)?, fields.get(7)?);
            // VPNs hide a default route by two routes, 0.0.0.0/1 and 128.0.0.0/1.
            let is_default = matches!((*destination, *mask), ("00000000", "00000000") | (_, "00000080"));
            (is_default && leads_somewhere(fields.get(3)?)).then(|| (*link).to_owned())
        })
        .collect()
}

/// Parses /proc/net/ipv6_route: destination, its prefix length, source, its prefix length, next hop, metric, references, uses, flags, interface
/// (linux/net/ipv6/route.c, rt6_info_route).
fn ipv6(table: &str) -> Vec<String> {
    let lines = table.lines();
    lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (length, flags, link) = (fields.get(1)?, fields.get(8)?, fields.get(9)?);
            // 2000::/3 is the whole public address space.
            let is_default = u8::from_str_radix(length, 16).ok()? <= 3;
            (is_default && *link != "lo" && leads_somewhere(flags)).then(|| (*link).to_owned())
        })
        .collect()
}

/// Returns whether a route with these flags is up and rejects nothing.
fn leads_somewhere(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & UP != 0 && flags & REJECT == 0)
}

/// Returns the index of a link.
fn index(link: &str) -> Option<u32> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    name_to_index(&socket, link).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_read_from_the_tables_of_the_kernel() {
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        for (lines, links) in [
            ("", &[][..]),
            (
                "eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
                &["eth0"],
            ),
            ("eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n", &[]),
            ("*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n", &[]),
            (
                "wwan0\t00000000\t00000000\t0001\t0\t0\t700\t00000000\t0\t0\t0\neth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
                &["wwan0", "eth0"],
            ),
            (
                "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n",
                &["tun0"],
            ),
            (
                "tun0\t00000080\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n",
                &["tun0"],
            ),
            ("eth0\n", &[]),
        ] {
            assert_eq!(ipv4(&format!("{head}{lines}")), links, "{lines}");
        }
        let zero = "00000000000000000000000000000000";
        for (line, links) in [
            (
                format!("{zero} 00 {zero} 00 fe800000000000000000000000000001 00000064 1 0 00000003 eth0"),
                &["eth0"][..],
            ),
            (format!("{zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo"), &[]),
            (
                format!("fe80{:028} 40 {zero} 00 {zero} 00000100 1 0 00000001 eth0", 0),
                &[],
            ),
            (
                format!("2{:031} 03 {zero} 00 {zero} 00000064 1 0 00000003 wwan0", 0),
                &["wwan0"],
            ),
            (format!("{zero} 00 {zero} 00 {zero} 00000064 1 0 00000201 eth0"), &[]),
            ("garbage".to_owned(), &[]),
        ] {
            assert_eq!(ipv6(&line), links, "{line}");
        }
    }
}
