//! Times as the API tells them.

use std::time::SystemTime;

/// A time as the API tells it: seconds since 1970.
pub type EpochSeconds = u64;

/// This moment.
pub(crate) fn now() -> EpochSeconds {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
