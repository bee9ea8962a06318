//! Times as the API represents them.

use std::time::SystemTime;

/// A time in the API: seconds since 1970.
pub type EpochSeconds = u64;

/// Returns the current time.
pub(crate) fn now() -> EpochSeconds {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
