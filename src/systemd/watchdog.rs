//! The service manager's watchdog (WatchdogSec=), which is notified only while all threads make progress.
//!
//! This runs on the local thread: if that hangs, there is no notification. The other threads are asked for a heartbeat, which each
//! must answer itself. An answer does not depend on AWS or the token: an outage is no reason for a restart.

use log::Level;
use sd_notify::NotifyState;

use super::notification::notify;
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::token::Token;

/// Notifies the watchdog twice in each of its periods, not more often because each time wakes three threads. Runs for as long as
/// the daemon.
pub async fn feed(cloud: Heartbeat, token: Token) {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return;
    };
    let mut reported = Vec::new();
    loop {
        let threads = [("cloud", cloud.is_alive()), ("token", token.is_alive())];
        let silent = threads.iter().filter(|(_, alive)| !alive);
        let stuck: Vec<_> = silent.map(|(name, _)| *name).collect();
        let next = match stuck.is_empty() {
            true => {
                notify(&[NotifyState::Watchdog]);
                limit / 2
            }
            // A thread that was only late can still answer before the period ends.
            false => limit / 8,
        };
        if stuck != reported {
            report(&stuck);
            reported = stuck;
        }
        cloud.ask();
        token.ask();
        tokio::time::sleep(next).await;
    }
}

fn report(stuck: &[&str]) {
    match stuck {
        [] => journal!(Level::Warn, Event::WatchdogFed; "watchdog: every thread responds again"),
        _ => journal!(
            Level::Error, Event::WatchdogStarved;
            "watchdog: no heartbeat from the thread {}; unless one comes, systemd restarts gatepost",
            stuck.join(" nor from the thread ")
        ),
    }
}
