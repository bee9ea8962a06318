//! The clocks of this machine, and AWS's time as far as it is known.
//!
//! Every SDK compares expirations with the wall clock, which can be wrong and can jump. The boottime clock only runs forward, also
//! during suspend, but has no date. Together with the time in AWS's responses it yields AWS's time, which decides what AWS accepts.
//! Code takes a [`Clock`] as a parameter, so that tests can control it.

mod aws_time;
mod steps;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

pub use aws_time::{AwsTime, Measurement, SERIOUS_SKEW, Skew};
pub use steps::Steps;

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the time of the wall clock.
    fn wall(&self) -> SystemTime;
    /// Returns the time since boot, including suspend (CLOCK_BOOTTIME). It never goes back.
    fn boot(&self) -> Duration;
    /// Returns the record of AWS's time, as measured from its responses.
    fn aws(&self) -> &AwsTime;

    /// Measures AWS's time from a response that has just been received: `date` is its Date, `asked` the boottime clock before the
    /// request. The measurement is not recorded yet.
    fn measure(&self, date: SystemTime, asked: Duration) -> Measurement {
        Measurement::from_response(date, asked, self.wall(), self.boot())
    }

    /// Records a skew that was measured by another process.
    fn take_over(&self, skew: Skew) {
        if let Some(measurement) = Measurement::from_skew(skew, self.wall(), self.boot()) {
            self.aws().record(measurement);
        }
    }

    /// Returns the best estimate of AWS's time; without a measurement this is the wall clock's time.
    fn aws_now(&self) -> SystemTime {
        match self.aws().last() {
            Some(measurement) => measurement.now(self.boot()),
            None => self.wall(),
        }
    }

    /// Returns the current skew of the wall clock; `None` before the first measurement.
    fn skew(&self) -> Option<Skew> {
        let measurement = self.aws().last()?;
        Some(Skew::between(self.wall(), measurement.now(self.boot())))
    }

    /// Returns the latest time that AWS's clock may show.
    ///
    /// If the wall clock has moved ahead of AWS's since the last measurement, either it was set wrong, or this machine was paused
    /// without its boottime clock noticing, as a virtual machine may be. Until AWS's time is measured again, expiry is judged by the
    /// later of the two times.
    fn latest_aws_now(&self) -> SystemTime {
        let now = self.aws_now();
        let moved = match (self.aws().last(), self.skew()) {
            (Some(measurement), Some(skew)) => skew.ahead().saturating_sub(measurement.skew.ahead()),
            _ => Duration::ZERO,
        };
        now.checked_add(moved).unwrap_or(now)
    }
}

/// A clock that is shared by all modules.
pub type SharedClock = Arc<dyn Clock>;

/// Returns the time at which this program was built. A wall clock that shows an earlier time is wrong.
pub fn build_date() -> SystemTime {
    let seconds = env!("GATEPOST_BUILD_EPOCH").parse().unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Returns whether the wall clock was set since boot. A machine without a battery-backed clock, such as a Raspberry Pi, starts in 1970 or
/// at the time of its last shutdown.
pub fn is_set(clock: &dyn Clock) -> bool {
    clock.wall() >= build_date()
}

/// Formats a time as RFC 3339 in UTC with whole seconds, a format that every SDK parses: `2026-01-31T12:00:00Z`.
pub fn rfc3339(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// The clocks of this machine.
#[derive(Debug, Default)]
pub struct SystemClock {
    aws: AwsTime,
}

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

    fn aws(&self) -> &AwsTime {
        &self.aws
    }
}

#[cfg(test)]
pub(crate) mod manual {
    //! Clocks that only tests advance.

    use std::sync::Mutex;

    use super::{Arc, AwsTime, Clock, Duration, Skew, SystemTime};

    #[derive(Debug)]
    pub(crate) struct ManualClock(Mutex<(SystemTime, Duration)>, AwsTime);

    impl ManualClock {
        pub(crate) fn at(unix_seconds: u64) -> Arc<Self> {
            let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds);
            Arc::new(Self(Mutex::new((wall, Duration::ZERO)), AwsTime::default()))
        }

        /// Creates a clock that is known to be this many seconds ahead of AWS's.
        pub(crate) fn ahead_of_aws(unix_seconds: u64, seconds: i64) -> Arc<Self> {
            let clock = Self::at(unix_seconds);
            clock.take_over(Skew::from_seconds(seconds));
            clock
        }

        /// Advances both clocks.
        pub(crate) fn pass(&self, by: Duration) {
            let mut now = self.0.lock().unwrap();
            now.0 += by;
            now.1 += by;
        }

        /// Sets the wall clock, which does not affect the boottime clock.
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

        fn aws(&self) -> &AwsTime {
            &self.1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_at_1970_counts_as_unset_and_todays_as_set() {
        assert!(!is_set(&*manual::ManualClock::at(60)));
        assert!(is_set(&SystemClock::default()));
    }

    #[test]
    fn the_boottime_clock_runs_forward() {
        let clock = SystemClock::default();
        let before = clock.boot();
        assert!(before > Duration::ZERO && clock.boot() >= before);
    }
}
