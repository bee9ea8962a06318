//! The two clocks a credential ages by, and the steps between them.
//!
//! The wall clock is what AWS and every SDK compare an expiration with; it can be wrong and it can jump. The boottime
//! clock only runs forward, through suspend as well, but knows no date. Rooms take a [`Clock`], so that tests set both.

mod steps;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

pub use steps::Steps;

/// Where time comes from.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The wall clock.
    fn wall(&self) -> SystemTime;
    /// Time since boot, suspend included (CLOCK_BOOTTIME); never goes back.
    fn boot(&self) -> Duration;
}

/// The clock every room holds.
pub type SharedClock = Arc<dyn Clock>;

/// When this program was built: no honest wall clock shows an earlier time. From `build.rs`, seconds since 1970.
pub fn build_date() -> SystemTime {
    let seconds = env!("GATEPOST_BUILD_EPOCH").parse().unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Whether the wall clock was ever set: a Raspberry Pi has no battery and wakes in 1970, or at the last shutdown.
pub fn is_set(clock: &dyn Clock) -> bool {
    clock.wall() >= build_date()
}

/// A moment as RFC 3339 in UTC with whole seconds, the one form every SDK parses: `2026-01-31T12:00:00Z`.
pub fn rfc3339(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// The clocks of this machine.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn boot(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        Duration::new(
            u64::try_from(now.tv_sec).unwrap_or(0),
            u32::try_from(now.tv_nsec).unwrap_or(0),
        )
    }
}

#[cfg(test)]
pub(crate) mod manual {
    //! Clocks that stand still until a test moves them.

    use std::sync::Mutex;

    use super::{Arc, Clock, Duration, SystemTime};

    #[derive(Debug)]
    pub(crate) struct ManualClock(Mutex<(SystemTime, Duration)>);

    impl ManualClock {
        pub(crate) fn at(unix_seconds: u64) -> Arc<Self> {
            Arc::new(Self(Mutex::new((
                SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds),
                Duration::ZERO,
            ))))
        }

        /// Time passes on both clocks.
        pub(crate) fn pass(&self, by: Duration) {
            let mut now = self.0.lock().unwrap();
            now.0 += by;
            now.1 += by;
        }

        /// Somebody sets the wall clock; the boottime clock does not notice.
        pub(crate) fn step_to(&self, wall: SystemTime) {
            self.0.lock().unwrap().0 = wall;
        }
    }

    impl Clock for ManualClock {
        fn wall(&self) -> SystemTime {
            self.0.lock().unwrap().0
        }

        fn boot(&self) -> Duration {
            self.0.lock().unwrap().1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_at_1970_counts_as_unset_and_todays_as_set() {
        assert!(!is_set(&*manual::ManualClock::at(60)));
        assert!(is_set(&SystemClock));
    }

    #[test]
    fn the_boottime_clock_runs_forward() {
        let before = SystemClock.boot();
        assert!(before > Duration::ZERO && SystemClock.boot() >= before);
    }
}
