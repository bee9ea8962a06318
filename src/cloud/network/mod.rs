//! Watches this machine's network, announces changes after which AWS may be reachable, and reports whether there is a default route.
//!
//! A link, an address, a route or a rule that appears is such a change. One that disappears is a change too while a default route
//! remains: traffic then takes a route that the lost one had hidden.
//!
//! Tasks that cannot reach AWS then try again at once, instead of waiting for the end of a backoff that is meant for outages of AWS.
//! Without netlink, in a sandbox, only this is lost.

mod changes;
mod default_route;
mod socket;

use std::io;
use std::time::Duration;

use log::Level;
use tokio::time::{Instant, sleep, sleep_until};

use self::changes::{Changes, News};
use self::default_route::DefaultRoute;
pub use self::default_route::NetworkReporter;
use self::socket::NetlinkSocket;
use super::recovery::Recovery;
use crate::event::{Event, journal};

/// Time for which reports are collected, because a link that comes up brings addresses and routes. It also limits the cost of a flood
/// of reports.
const SETTLE: Duration = Duration::from_millis(200);
/// Number of announcements that may follow each other at once: for a link, its address and its route, which DHCP may delay by seconds.
const BURST: u32 = 5;
/// Time between further announcements: a flapping link must not cause as many CONNECTs (AWS accepts one in ten seconds from a client ID:
/// aws-greengrass-nucleus PR #1003).
const INTERVAL: Duration = Duration::from_secs(10);

/// Watches the network for as long as the daemon runs. With a proxy, which may be in this machine's own network, a default route does
/// not decide whether AWS can be reached.
pub(super) async fn watch(recovery: Recovery, reporter: NetworkReporter, has_proxy: bool) {
    if let Err(error) = announce_changes(&recovery, DefaultRoute::new(reporter, has_proxy)).await {
        journal!(
            Level::Warn, Event::NetworkChangesUnnoticed;
            "network: changes of this machine's network are not noticed ({error}); after an outage gatepost may be back up to \
             two minutes later"
        );
    }
}

/// Announces changes until the socket fails.
async fn announce_changes(recovery: &Recovery, mut default_route: DefaultRoute) -> io::Result<()> {
    let socket = NetlinkSocket::open()?;
    let (mut changes, mut limiter) = (Changes::default(), AnnouncementLimiter::new(Instant::now()));
    default_route.check(&mut changes);
    loop {
        socket.readable().await?;
        sleep(SETTLE).await;
        let news = socket.take(&mut changes).await?;
        let route_remains = default_route.check(&mut changes);
        let what = match news {
            News::Appeared => "has appeared",
            News::Gone if route_remains => "has disappeared, and a default route remains",
            News::Gone | News::Nothing => continue,
        };
        sleep_until(limiter.next(Instant::now())).await;
        log::debug!("network: a link, an address, a route or a rule {what}");
        recovery.announce_change();
    }
}

/// A token bucket that limits announcements.
#[derive(Debug)]
struct AnnouncementLimiter {
    /// Time at which the bucket will be full again.
    full_at: Instant,
}

impl AnnouncementLimiter {
    fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes a token, and returns when the announcement may be made.
    fn next(&mut self, now: Instant) -> Instant {
        self.full_at = self.full_at.max(now) + INTERVAL;
        now.max(self.full_at.checked_sub(INTERVAL * BURST).unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_announced_at_once_and_a_flapping_link_every_ten_seconds() {
        let start = Instant::now() + Duration::from_secs(3600);
        let mut limiter = AnnouncementLimiter::new(start);
        let after = |moment: Instant| moment.duration_since(start).as_secs();
        let moments: Vec<u64> = (0..8).map(|_| after(limiter.next(start))).collect();
        assert_eq!(moments, [0, 0, 0, 0, 0, 10, 20, 30]);
        let later = start + Duration::from_secs(1000);
        assert_eq!(after(limiter.next(later)), 1000, "the bucket fills again");
    }

    #[tokio::test]
    async fn the_kernel_reports_to_a_process_without_privileges() {
        match NetlinkSocket::open() {
            Ok(socket) => {
                let nothing = tokio::time::timeout(Duration::ZERO, socket.readable()).await;
                assert!(nothing.is_err() || nothing.is_ok_and(|readable| readable.is_ok()));
            }
            Err(error) => eprintln!("NOT TESTED: no netlink here: {error}"),
        }
    }
}
