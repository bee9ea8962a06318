//! Watches this machine's own network, announces it when it has changed so that AWS may be reached another way, and reports
//! whether there is a way to the world. A link, an address, a route or a rule that has appeared is such a change, and one that
//! has gone is another while a way remains: traffic then takes the way that the one that has gone had covered.
//!
//! Whoever waits because AWS cannot be reached then tries again at once, instead of waiting for the end of a backoff that was
//! made for outages at AWS's end. Without the watch, in a sandbox that has no netlink, nothing is lost but that.

mod changes;
mod socket;
mod way_out;

use std::io;
use std::time::Duration;

use log::Level;
use tokio::time::{Instant, sleep, sleep_until};

use self::changes::{Changes, News};
use self::socket::NetlinkSocket;
pub use self::way_out::NetworkReporter;
use self::way_out::WayOut;
use super::recovery::Recovery;
use crate::event::{Event, journal};

/// A link that comes up brings addresses and routes: reports are read together once this much time has passed. It also bounds
/// what a flood of reports costs.
const SETTLE: Duration = Duration::from_millis(200);
/// So many announcements may follow each other at once: a link, its address, its route, each of which may take a DHCP server
/// seconds.
const BURST: u32 = 5;
/// From then on there is one in this time: a link that flaps must not have AWS see CONNECTs at its pace (AWS takes one in ten
/// seconds from a client ID: aws-greengrass-nucleus PR #1003).
const INTERVAL: Duration = Duration::from_secs(10);

/// Runs for as long as the daemon does.
pub(super) async fn watch(recovery: Recovery, reporter: NetworkReporter) {
    if let Err(error) = announce_changes(&recovery, WayOut::new(reporter)).await {
        journal!(
            Level::Warn, Event::NetworkChangesUnnoticed;
            "network: changes of this machine's network are not noticed ({error}); after an outage gatepost may be back up to \
             two minutes later"
        );
    }
}

async fn announce_changes(recovery: &Recovery, mut way_out: WayOut) -> io::Result<()> {
    let socket = NetlinkSocket::open()?;
    let (mut changes, mut pace) = (Changes::default(), Pace::new(Instant::now()));
    way_out.look(&mut changes);
    loop {
        socket.readable().await?;
        sleep(SETTLE).await;
        let news = socket.take(&mut changes).await?;
        let way_remains = way_out.look(&mut changes);
        let what = match news {
            News::Appeared => "has appeared",
            News::Gone if way_remains => "has gone, and a way out remains",
            News::Gone | News::Nothing => continue,
        };
        sleep_until(pace.next(Instant::now())).await;
        log::debug!("network: a link, an address, a route or a rule {what}");
        recovery.announce_change();
    }
}

/// A token bucket: when the next announcement may be made.
#[derive(Debug)]
struct Pace {
    /// When the bucket will be full again.
    full_at: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes a place for one announcement, and returns when it may be made.
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
        let mut pace = Pace::new(start);
        let after = |moment: Instant| moment.duration_since(start).as_secs();
        let moments: Vec<u64> = (0..8).map(|_| after(pace.next(start))).collect();
        assert_eq!(moments, [0, 0, 0, 0, 0, 10, 20, 30]);
        let later = start + Duration::from_secs(1000);
        assert_eq!(after(pace.next(later)), 1000, "the bucket fills again");
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
