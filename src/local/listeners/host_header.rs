//! Checks the host that a request on the loopback listener is addressed to.
//!
//! A web page whose name resolves to this machine (DNS rebinding) still sends that name in the Host header, so only the
//! listener's own address and `localhost` are accepted. The port may be missing: the AWS Common Runtime never sends it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hyper::Uri;
use hyper::header::{HOST, HeaderMap};
use hyper::http::uri::Authority;

use crate::local::http::single_header;

/// Maximum length of a foreign name in the journal.
const MAX_SHOWN: usize = 80;

/// Checks that a request is for the listener at `address`, by its Host header and, in a request in absolute form, its URI.
///
/// # Errors
/// If it is for another host. The error is that name, fit for the journal.
pub fn check_host(uri: &Uri, headers: &HeaderMap, address: SocketAddr) -> Result<(), String> {
    let host = single_header(headers, &HOST).and_then(|host| std::str::from_utf8(host).ok());
    let target = uri.authority().map(Authority::as_str);
    match (host, target) {
        (Some(host), None) if is_own(host, address) => Ok(()),
        (Some(host), Some(target)) if is_own(host, address) && is_own(target, address) => Ok(()),
        (Some(host), Some(target)) if is_own(host, address) => Err(shown(target)),
        (Some(host), _) => Err(shown(host)),
        (None, _) => Err("no single Host header".to_owned()),
    }
}

fn is_own(name: &str, address: SocketAddr) -> bool {
    let Some((host, port)) = split(name) else { return false };
    let own_port = port.is_none_or(|port| port == address.port().to_string());
    own_port && (host.eq_ignore_ascii_case("localhost") || ip(host) == Some(address.ip()))
}

/// Splits a name into host and port. The colons of an IPv6 address stand inside brackets (RFC 3986, section 3.2.2).
fn split(name: &str) -> Option<(&str, Option<&str>)> {
    let host_ends = match name.strip_prefix('[') {
        Some(_) => name.find(']')? + 1,
        None => name.find(':').unwrap_or(name.len()),
    };
    let (host, rest) = name.split_at_checked(host_ends)?;
    match rest {
        "" => Some((host, None)),
        rest => Some((host, Some(rest.strip_prefix(':')?))),
    }
}

fn ip(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok().filter(IpAddr::is_ipv4),
    }
}

fn shown(name: &str) -> String {
    name.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: &str = "127.0.0.1:9922";
    const V6: &str = "[::1]:9922";

    fn outcome(address: &str, uri: &'static str, hosts: &[&str]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        check_host(&Uri::from_static(uri), &headers, address.parse().unwrap())
    }

    #[test]
    fn only_the_listeners_own_names_are_accepted() {
        for (address, host, fits) in [
            (V4, "127.0.0.1:9922", true),
            (V4, "127.0.0.1", true),
            (V4, "localhost:9922", true),
            (V4, "localhost", true),
            (V4, "LOCALHOST:9922", true),
            (V4, "LocalHost", true),
            (V6, "[::1]:9922", true),
            (V6, "[::1]", true),
            (V6, "[0:0:0:0:0:0:0:1]:9922", true),
            (V6, "localhost", true),
            ("127.0.0.1:80", "127.0.0.1", true),
            ("127.0.0.1:80", "127.0.0.1:80", true),
            (V6, "127.0.0.1:9922", false),
            (V6, "::1", false),
            (V6, "::1:9922", false),
            (V6, "[::1", false),
            (V6, "[::1]9922", false),
            (V6, "[localhost]", false),
            (V6, "[127.0.0.1]", false),
            (V6, "[::1]:9922:9922", false),
            (V6, "[::ffff:127.0.0.1]:9922", false),
            (V4, "[::1]:9922", false),
            (V4, "[127.0.0.1]:9922", false),
            (V4, "127.0.0.1:9923", false),
            (V4, "127.0.0.1:", false),
            (V4, "127.0.0.1:09922", false),
            (V4, "127.0.0.1:+9922", false),
            (V4, "127.0.0.1:80", false),
            (V4, "127.0.0.1:9922:9922", false),
            (V4, "127.0.0.2", false),
            (V4, "127.1", false),
            (V4, "0.0.0.0:9922", false),
            (V4, "localhost.", false),
            (V4, "localhost.evil.example", false),
            (V4, "evil.example:9922", false),
            (V4, "evil.example", false),
            (V4, "127.0.0.1.evil.example", false),
            (V4, "127.0.0.1:9922@evil.example", false),
            (V4, "evil.example@127.0.0.1:9922", false),
            (V4, "127.0.0.1,evil.example", false),
            (V4, "127.0.0.1 evil.example", false),
            (V4, ":9922", false),
            (V4, "", false),
        ] {
            let outcome = outcome(address, "/v1/credentials", &[host]);
            assert_eq!(outcome.is_ok(), fits, "{host} at {address}");
        }
    }

    #[test]
    fn there_is_one_host_header_and_the_target_agrees() {
        for (uri, hosts, refused) in [
            ("/x", &[][..], Some("no single Host header")),
            ("/x", &["localhost", "localhost"], Some("no single Host header")),
            ("/x", &["localhost", "evil.example"], Some("no single Host header")),
            ("http://localhost:9922/x", &["localhost:9922"], None),
            ("http://127.0.0.1/x", &["localhost:9922"], None),
            (
                "http://evil.example:9922/x",
                &["localhost:9922"],
                Some("evil.example:9922"),
            ),
            ("http://localhost:9922/x", &["evil.example"], Some("evil.example")),
            (
                "http://user@localhost:9922/x",
                &["localhost"],
                Some("user@localhost:9922"),
            ),
        ] {
            let outcome = outcome(V4, uri, hosts);
            assert_eq!(outcome.err().as_deref(), refused, "{uri} {hosts:?}");
        }
        let long = "x".repeat(5_000);
        assert_eq!(outcome(V4, "/x", &[&long]).unwrap_err().len(), MAX_SHOWN);
    }
}
