//! Keeps the daemon running after a fatal problem for as long as it has credentials that programs can use.
//!
//! With a rejected PIN or an unusable token no new credentials can be requested. Those that were received before are good until
//! they expire, and would be lost with the process: systemd drops the stored descriptors of a service that has failed.

use std::time::Duration;

use log::Level;
use tokio::time::sleep;

use crate::event::{Event, journal};
use crate::local::ApiContext;
use crate::problem::Fatal;

/// Longest interval between two checks: the clock may be set meanwhile.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Returns how long the longest-lived usable credentials remain valid; `None` if there are none.
pub(super) fn longest_remaining(context: &ApiContext) -> Option<Duration> {
    let clock = &*context.clock;
    let aliases = context.cache.aliases(clock);
    aliases
        .iter()
        .filter_map(|alias| Some(alias.usable(clock)?.remaining(clock)))
        .max()
}

/// Logs the fatal problem, and that the daemon continues to run.
pub(super) fn announce(fatal: &Fatal) {
    journal!(
        Level::Error, fatal.exit.event();
        "{}", fatal.to_string().replace('\n', "; ")
    );
    journal!(
        Level::Warn, Event::CredentialsOutlive;
        "gatepostd keeps serving the credentials that it has, and exits with {} once the last of them have expired; next: fix the cause, then: systemctl restart gatepost",
        fatal.exit as u8
    );
}

/// Waits until all credentials have expired. Cancel safe.
pub(super) async fn all_expired(context: &ApiContext) {
    while let Some(remaining) = longest_remaining(context) {
        sleep(remaining.clamp(Duration::from_secs(1), CHECK_INTERVAL)).await;
    }
}
