//! The clocks of this machine, and AWS's time as far as it is known.
//!
//! The wall clock is what every SDK compares an expiration with; it can be wrong and it can jump. The boottime clock only runs
//! forward, through suspend as well, but knows no date. Together with the time that AWS says in its answers it tells AWS's time,
//! which decides what AWS accepts. Everything takes a [`Clock`], so that tests set them.

mod aws_time;
mod steps;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

pub use aws_time::{AwsTime, Measurement, SERIOUS_SKEW, Skew};
pub use steps::Steps;

/// Where time comes from.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The wall clock.
    fn wall(&self) -> SystemTime;
    /// Time since boot, suspend included (CLOCK_BOOTTIME); never goes back.
    fn boot(&self) -> Duration;
    /// Returns the record of AWS's time, as measured from its answers.
    fn aws(&self) -> &AwsTime;

    /// Measures AWS's time by an answer that has just come: `date` is its Date, `asked` the boottime clock before the request was
    /// made. The measurement is not recorded yet.
    fn measure(&self, date: SystemTime, asked: Duration) -> Measurement {
        Measurement::by_answer(date, asked, self.wall(), self.boot())
    }

    /// Records a skew that another process has measured.
    fn take_over(&self, skew: Skew) {
        if let Some(measurement) = Measurement::by_skew(skew, self.wall(), self.boot()) {
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

    /// How far the wall clock is from AWS's at this moment; `None` before the first measurement.
    fn skew(&self) -> Option<Skew> {
        let measurement = self.aws().last()?;
        Some(Skew::between(self.wall(), measurement.now(self.boot())))
    }

    /// The latest time that AWS's clock may show.
    ///
    /// If the wall clock has moved ahead of AWS's since the last measurement, either it was set wrong, or this machine stood still
    /// without its boottime clock noticing (a virtual machine that was paused). Expiry is judged by the later of the two times
    /// until AWS's time is measured again.
    fn latest_aws_now(&self) -> SystemTime {
        let now = self.aws_now();
        let moved = match (self.aws().last(), self.skew()) {
            (Some(measurement), Some(skew)) => skew.ahead().saturating_sub(measurement.skew.ahead()),
            _ => Duration::ZERO,
        };
        now.checked_add(moved).unwrap_or(now)
    }
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
    //! Clocks that stand still until a test moves them.

    use std::sync::Mutex;

    use super::{Arc, AwsTime, Clock, Duration, Skew, SystemTime};

    #[derive(Debug)]
    pub(crate) struct ManualClock(Mutex<(SystemTime, Duration)>, AwsTime);

    impl ManualClock {
        pub(crate) fn at(unix_seconds: u64) -> Arc<Self> {
            let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds);
            Arc::new(Self(Mutex::new((wall, Duration::ZERO)), AwsTime::default()))
        }

        /// The same, and AWS has said that this clock is so many seconds ahead.
        pub(crate) fn ahead_of_aws(unix_seconds: u64, seconds: i64) -> Arc<Self> {
            let clock = Self::at(unix_seconds);
            clock.take_over(Skew::from_seconds(seconds));
            clock
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
