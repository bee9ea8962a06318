//! Loopback ports that stay free: for servers that cannot be given port 0, and for tests that close a port.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use anyhow::{Context, Result};

/// The first port. It is below Linux's ephemeral range (32768 and up), so that no outgoing connection can take a port between the check and
/// its use.
const FIRST: u16 = 20_000;
const PAIRS: u16 = 6_000;

/// Returns a port `p` such that `p` and `p + 1` are free on 127.0.0.1.
///
/// The search starts at a different port in each test process, so parallel runs rarely collide. The caller must still retry if its server
/// finds the port taken.
///
/// # Errors
/// If there is no such port.
pub fn free_pair() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // 1/golden ratio of the range spreads neighbouring process ids far apart.
    let start = u64::from(std::process::id()) * 3_708 % u64::from(PAIRS);
    (0..PAIRS)
        .map(|_| {
            let pair = (start + u64::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u64::from(PAIRS);
            FIRST + 2 * u16::try_from(pair).unwrap_or(0)
        })
        .find(|&port| is_free(port) && is_free(port + 1))
        .context("no two neighbouring free ports on 127.0.0.1")
}

/// Returns a loopback address that no other test uses. On 127.0.0.1 a port that a test has closed may be another test's at once, because
/// Linux gives closed ports to those who bind port 0 and to outgoing connections.
pub fn unshared_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // 24 bits of 127.0.0.0/8: 6 bits of a counter below 18 bits of the process ID. Processes share addresses only if their IDs are
    // a multiple of 262,144 apart.
    let counter = NEXT.fetch_add(1, Ordering::Relaxed) & 0x3f;
    let host = ((std::process::id() << 6) | counter) & 0x00ff_ffff;
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 0, 0).to_bits() | host)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_differ_and_avoid_used_values() {
        let first = free_pair().unwrap();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first + 3)).unwrap();
        let second = free_pair().unwrap();
        assert!(second != first && second != first + 2, "{first} {second}");
    }

    #[test]
    fn addresses_differ_and_can_be_bound() {
        let [one, other] = [unshared_address(), unshared_address()];
        assert!(one != other && one != Ipv4Addr::LOCALHOST);
        assert!(one.is_loopback() && TcpListener::bind((one, 0)).is_ok());
    }
}
