//! WATCHDOG=1 (WatchdogSec=): said only while both wings and the token's thread make progress.
//!
//! This runs in the local wing: if that stands still, nothing is said. The other threads are asked for a sign of life that
//! each must give itself. Neither the cloud nor the token has any part in an answer: an outage is no reason to restart.

use log::Level;
use sd_notify::NotifyState;

use super::notify;
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::token::Token;

/// Feeds the watchdog for as long as the daemon runs, twice in the time that it waits: seldom, because each time wakes
/// three threads.
pub async fn feed(cloud: Heartbeat, token: Token) {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return;
    };
    let mut stuck_before = Vec::new();
    loop {
        let threads = [("cloud", cloud.is_alive()), ("token", token.is_alive())];
        let silent = threads.iter().filter(|(_, alive)| !alive);
        let stuck: Vec<_> = silent.map(|(name, _)| *name).collect();
        let next = match stuck.is_empty() {
            true => {
                notify(&[NotifyState::Watchdog]);
                limit / 2
            }
            // One that was only late gets the chance to say so before it is too late.
            false => limit / 8,
        };
        if stuck != stuck_before {
            report(&stuck);
            stuck_before = stuck;
        }
        cloud.ask();
        token.ask();
        tokio::time::sleep(next).await;
    }
}

fn report(stuck: &[&str]) {
    match stuck {
        [] => journal!(Level::Warn, Event::WatchdogFed; "watchdog: every thread answers again"),
        _ => journal!(
            Level::Error, Event::WatchdogStarved;
            "watchdog: no sign of life from the thread {}; unless one comes, systemd restarts gatepost",
            stuck.join(" nor from the thread ")
        ),
    }
}
