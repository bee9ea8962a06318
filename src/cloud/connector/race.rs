//! Connects to one of several addresses without waiting for one that hangs (RFC 8305, "Happy Eyeballs").
//!
//! A host often has addresses of two families of which one leads nowhere: a router announces IPv6, and the provider drops it. The next
//! address is therefore tried a quarter of a second after the last one, while the earlier attempts continue, and at once when an
//! attempt fails. The first connection wins.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Time between the starts of two attempts (RFC 8305, 5: "Connection Attempt Delay", 250 ms recommended).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Time limit of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks a name up, and connects to whichever of its addresses answers first.
///
/// # Errors
/// If the name cannot be looked up, or if no address answers; with the error of the attempt that came furthest.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = lookup_host((host, port)).await?.collect();
    let stream = race(addresses, TcpStream::connect).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn race<T, F>(addresses: Vec<SocketAddr>, attempt: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = io::Result<T>> + Send + 'static,
{
    let mut waiting = alternate_families(addresses);
    // Dropping the set ends the attempts that have lost.
    let mut attempts = JoinSet::new();
    let mut worst = None;
    loop {
        match waiting.pop_front() {
            Some(address) => drop(attempts.spawn(timeout(ATTEMPT_TIMEOUT, attempt(address)))),
            None if attempts.is_empty() => {
                return Err(worst.unwrap_or_else(|| io::Error::other("the name has no address")));
            }
            None => {}
        }
        tokio::select! {
            Some(joined) = attempts.join_next() => {
                let error = match joined {
                    Ok(Ok(Ok(stream))) => return Ok(stream),
                    Ok(Ok(Err(error))) => error,
                    Ok(Err(_)) => timeout_error(),
                    Err(error) => io::Error::other(error),
                };
                if worst.as_ref().is_none_or(|earlier| progress(&error) > progress(earlier)) {
                    worst = Some(error);
                }
            }
            () = sleep(ATTEMPT_DELAY), if !waiting.is_empty() => {}
        }
    }
}

/// Sorts the addresses so that the families alternate, and keeps the resolver's order otherwise (RFC 8305, 4). The resolver's first
/// address stays the first one (RFC 6724).
fn alternate_families(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut sorted = VecDeque::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return sorted,
            (one, other) => sorted.extend(one.into_iter().chain(other)),
        }
    }
}

/// Returns how far an attempt came. A machine without IPv6 fails at once for those addresses, which says nothing about the host. The
/// order of the failures, which may vary from attempt to attempt, does not decide.
fn progress(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => 2,
        io::ErrorKind::TimedOut => 1,
        _ => 0,
    }
}

fn timeout_error() -> io::Error {
    let words = format!("the TCP connection took more than {} s", ATTEMPT_TIMEOUT.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, words)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::Instant;

    use super::*;

    const V6: [&str; 3] = ["[2001:db8::1]:443", "[2001:db8::2]:443", "[2001:db8::3]:443"];
    const V4: [&str; 3] = ["192.0.2.1:443", "192.0.2.2:443", "192.0.2.3:443"];

    /// The behaviour of one address.
    #[derive(Clone, Copy, Debug)]
    enum Behaviour {
        Answers(u64),
        Fails(u64, io::ErrorKind),
        Hangs,
    }
    use Behaviour::{Answers, Fails, Hangs};

    fn parse(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Connects to addresses that behave like this; returns the outcome, and when each attempt began, in milliseconds.
    async fn run_race(hosts: &[(&str, Behaviour)]) -> (io::Result<SocketAddr>, Vec<(SocketAddr, u128)>) {
        let start = Instant::now();
        let begun = Arc::new(Mutex::new(Vec::new()));
        let table: Vec<(SocketAddr, Behaviour)> = hosts.iter().map(|(text, what)| (parse(text), *what)).collect();
        let addresses = table.iter().map(|(address, _)| *address).collect();
        let outcome = race(addresses, |address| {
            let behaviour = table.iter().find(|(known, _)| *known == address).unwrap().1;
            let begun = begun.clone();
            async move {
                begun.lock().unwrap().push((address, start.elapsed().as_millis()));
                match behaviour {
                    Answers(after) => {
                        sleep(Duration::from_millis(after)).await;
                        Ok(address)
                    }
                    Fails(after, kind) => {
                        sleep(Duration::from_millis(after)).await;
                        Err(kind.into())
                    }
                    Hangs => std::future::pending().await,
                }
            }
        })
        .await;
        let begun = begun.lock().unwrap().clone();
        (outcome, begun)
    }

    #[tokio::test(start_paused = true)]
    async fn promise_15_the_other_family_is_tried_while_the_first_one_hangs() {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
        // Addresses in the resolver's order, the one that must win, and when each attempt begins.
        type Case<'a> = (&'a [(&'a str, Behaviour)], &'a str, &'a [(&'a str, u128)]);
        let cases: [Case; 10] = [
            (&[(V6[0], Answers(10)), (V4[0], Answers(1))], V6[0], &[(V6[0], 0)]),
            (
                &[(V6[0], Hangs), (V4[0], Answers(40))],
                V4[0],
                &[(V6[0], 0), (V4[0], 250)],
            ),
            (
                &[(V4[0], Hangs), (V6[0], Answers(40))],
                V6[0],
                &[(V4[0], 0), (V6[0], 250)],
            ),
            // Several addresses of the family that hangs do not delay the other one.
            (
                &[(V6[0], Hangs), (V6[1], Hangs), (V6[2], Hangs), (V4[0], Answers(1))],
                V4[0],
                &[(V6[0], 0), (V4[0], 250)],
            ),
            // A failure starts the next attempt at once.
            (
                &[(V6[0], Fails(0, NetworkUnreachable)), (V4[0], Answers(5))],
                V4[0],
                &[(V6[0], 0), (V4[0], 0)],
            ),
            (
                &[(V6[0], Fails(30, HostUnreachable)), (V4[0], Answers(5))],
                V4[0],
                &[(V6[0], 0), (V4[0], 30)],
            ),
            // A slow address may still win after the next attempt has begun.
            (
                &[(V6[0], Answers(300)), (V4[0], Answers(200))],
                V6[0],
                &[(V6[0], 0), (V4[0], 250)],
            ),
            (
                &[(V4[0], Hangs), (V4[1], Answers(1))],
                V4[1],
                &[(V4[0], 0), (V4[1], 250)],
            ),
            (
                &[
                    (V6[0], Hangs),
                    (V4[0], Fails(0, ConnectionRefused)),
                    (V6[1], Answers(0)),
                ],
                V6[1],
                &[(V6[0], 0), (V4[0], 250), (V6[1], 250)],
            ),
            // An attempt that hangs is given up after ten seconds only, so a slow link is not cut off.
            (
                &[(V6[0], Answers(9_000)), (V4[0], Hangs)],
                V6[0],
                &[(V6[0], 0), (V4[0], 250)],
            ),
        ];
        for (number, (hosts, winner, attempts)) in cases.into_iter().enumerate() {
            let (outcome, begun) = run_race(hosts).await;
            let expected: Vec<(SocketAddr, u128)> = attempts.iter().map(|(host, at)| (parse(host), *at)).collect();
            assert_eq!(begun, expected, "{number}");
            assert_eq!(outcome.unwrap(), parse(winner), "{number}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_attempt_that_came_furthest_gives_the_reason() {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, TimedOut};
        type Case<'a> = (&'a [(&'a str, Behaviour)], io::ErrorKind);
        let cases: [Case; 7] = [
            (&[], io::ErrorKind::Other),
            (&[(V4[0], Hangs)], TimedOut),
            (&[(V6[0], Fails(0, NetworkUnreachable)), (V4[0], Hangs)], TimedOut),
            (&[(V6[0], Hangs), (V4[0], Fails(0, NetworkUnreachable))], TimedOut),
            (
                &[(V6[0], Fails(0, ConnectionRefused)), (V4[0], Hangs)],
                ConnectionRefused,
            ),
            (
                &[(V6[0], Hangs), (V4[0], Fails(9, ConnectionRefused))],
                ConnectionRefused,
            ),
            (
                &[
                    (V6[0], Fails(0, NetworkUnreachable)),
                    (V4[0], Fails(9, HostUnreachable)),
                ],
                NetworkUnreachable,
            ),
        ];
        for (number, (hosts, kind)) in cases.into_iter().enumerate() {
            let (outcome, _) = run_race(hosts).await;
            assert_eq!(outcome.unwrap_err().kind(), kind, "{number}");
        }
    }

    #[test]
    fn the_families_alternate_from_the_resolvers_first_address_on() {
        for (addresses, sorted) in [
            (vec![], vec![]),
            (vec![V6[0], V6[1], V4[0]], vec![V6[0], V4[0], V6[1]]),
            (vec![V4[0], V4[1], V6[0], V6[1]], vec![V4[0], V6[0], V4[1], V6[1]]),
            (vec![V4[0], V4[1], V4[2]], vec![V4[0], V4[1], V4[2]]),
            (vec![V6[2], V4[2], V4[0], V4[1]], vec![V6[2], V4[2], V4[0], V4[1]]),
        ] {
            let found = alternate_families(addresses.into_iter().map(parse).collect());
            assert_eq!(found, sorted.into_iter().map(parse).collect::<Vec<_>>());
        }
    }
}
