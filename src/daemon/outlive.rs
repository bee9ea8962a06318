//! A daemon that would end, and goes on for as long as it has credentials that programs can use.
//!
//! With a rejected PIN or a token that cannot be used nothing new can be had. What was received before is good until it
//! expires, and would be lost with the process: systemd drops what it keeps for a service that has failed.

use std::time::Duration;

use log::Level;
use tokio::time::sleep;

use crate::event::{Event, journal};
use crate::local::ApiContext;
use crate::problem::Fatal;

/// Between two looks whether anything is left: the clock may be set meanwhile.
const LOOK: Duration = Duration::from_secs(30);

/// How long the longest-lived set is usable; `None` where there is none.
pub(super) fn left(shared: &ApiContext) -> Option<Duration> {
    let clock = &*shared.clock;
    let parts = shared.cache.parts(clock);
    parts
        .iter()
        .filter_map(|part| Some(part.usable(clock)?.remaining(clock)))
        .max()
}

/// Says why the daemon goes on.
pub(super) fn announce(fatal: &Fatal) {
    journal!(
        Level::Error, fatal.exit.event();
        "{}", fatal.to_string().replace('\n', "; ")
    );
    journal!(
        Level::Warn, Event::CredentialsOutlive;
        "gatepostd goes on to hand out the credentials that it has, and ends with {} when the last ones have expired; next: when it is mended, systemctl restart gatepost",
        fatal.exit as u8
    );
}

/// Returns when no credentials are left. Cancel safe.
pub(super) async fn nothing_left(shared: &ApiContext) {
    while let Some(left) = left(shared) {
        sleep(left.clamp(Duration::from_secs(1), LOOK)).await;
    }
}
