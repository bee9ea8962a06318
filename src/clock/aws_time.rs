//! AWS's time, and the skew of this machine's wall clock.
//!
//! AWS sends the time in the Date header field of each response. A [`Measurement`] is carried forward by the boottime clock, so that a
//! step of the wall clock changes the skew immediately, but not AWS's time.

use std::fmt;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

/// Resolution of a Date header field: AWS's clock may be ahead of it by this much.
const DATE_RESOLUTION: Duration = Duration::from_secs(1);

/// Skew above which a problem is reported. AWS refuses signatures that are more than 5 min off (IAM User Guide, "Elements of an AWS API
/// request signature").
pub const SERIOUS_SKEW: Duration = Duration::from_secs(5 * 60);

/// The skew of the wall clock: how far it is ahead of AWS's, negative if it is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skew {
    milliseconds: i64,
}

/// AWS's time at a moment of the boottime clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// AWS's time.
    pub time: SystemTime,
    /// The boottime clock at that moment.
    pub boot: Duration,
    /// The skew of the wall clock at that moment.
    pub skew: Skew,
}

/// The last measurement of AWS's time, if there is one.
#[derive(Debug)]
pub struct AwsTime(watch::Sender<Option<Measurement>>);

impl Default for AwsTime {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl AwsTime {
    /// Returns the last measurement.
    pub fn last(&self) -> Option<Measurement> {
        *self.0.borrow()
    }

    /// Replaces the last measurement.
    pub fn record(&self, measurement: Measurement) {
        self.0.send_replace(Some(measurement));
    }

    /// Returns a receiver of each measurement.
    pub fn watch(&self) -> watch::Receiver<Option<Measurement>> {
        self.0.subscribe()
    }
}

impl Measurement {
    /// Measures by a response that has just been received, while the clocks show `wall` and `boot`: `date` is its Date, `asked` the
    /// boottime clock before the request.
    ///
    /// AWS's clock has shown `date` at some moment since the request. If the wall clock agrees with that, it is assumed to be right,
    /// because a synchronised clock is more precise than a measurement. Otherwise the nearest time that agrees is used.
    pub(super) fn from_response(date: SystemTime, asked: Duration, wall: SystemTime, boot: Duration) -> Self {
        let latest = date
            .checked_add(DATE_RESOLUTION + boot.saturating_sub(asked))
            .unwrap_or(date);
        let time = wall.clamp(date, latest);
        Self {
            time,
            boot,
            skew: Skew::between(wall, time),
        }
    }

    /// Converts a skew that was measured by another process, while the clocks show `wall` and `boot`.
    pub(super) fn from_skew(skew: Skew, wall: SystemTime, boot: Duration) -> Option<Self> {
        Some(Self {
            time: skew.subtract_from(wall)?,
            boot,
            skew,
        })
    }

    /// Returns AWS's current time.
    pub(super) fn now(&self, boot: Duration) -> SystemTime {
        self.time
            .checked_add(boot.saturating_sub(self.boot))
            .unwrap_or(self.time)
    }
}

impl Skew {
    /// Returns the skew of a wall clock that shows `wall` while AWS's clock shows `aws`.
    pub fn between(wall: SystemTime, aws: SystemTime) -> Self {
        let whole = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let milliseconds = match wall.duration_since(aws) {
            Ok(ahead) => whole(ahead),
            Err(behind) => -whole(behind.duration()),
        };
        Self { milliseconds }
    }

    /// Creates a skew from seconds ahead.
    pub fn from_seconds(seconds: i64) -> Self {
        Self {
            milliseconds: seconds.saturating_mul(1000),
        }
    }

    /// Creates a skew from milliseconds ahead.
    pub fn from_milliseconds(milliseconds: i64) -> Self {
        Self { milliseconds }
    }

    /// Returns the milliseconds ahead.
    pub fn milliseconds(self) -> i64 {
        self.milliseconds
    }

    /// Returns the whole seconds ahead, which is the resolution of a Date header field.
    pub fn whole_seconds(self) -> i64 {
        self.milliseconds / 1000
    }

    /// Returns the seconds ahead.
    pub fn seconds(self) -> f64 {
        let size = self.size().as_secs_f64();
        if self.milliseconds < 0 { -size } else { size }
    }

    /// Returns the absolute value.
    pub fn size(self) -> Duration {
        Duration::from_millis(self.milliseconds.unsigned_abs())
    }

    /// Returns how far the clock is ahead; zero if it is behind.
    pub fn ahead(self) -> Duration {
        Duration::from_millis(u64::try_from(self.milliseconds).unwrap_or(0))
    }

    /// Returns how far the clock is behind; zero if it is ahead.
    pub fn behind(self) -> Duration {
        Self {
            milliseconds: self.milliseconds.saturating_neg(),
        }
        .ahead()
    }

    /// Returns whether AWS may refuse signatures that use the time of this clock.
    pub fn is_serious(self) -> bool {
        self.size() > SERIOUS_SKEW
    }

    /// Returns the difference from another skew.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.milliseconds.abs_diff(other.milliseconds))
    }

    /// Returns the time of AWS's clock while the wall clock shows `wall`.
    fn subtract_from(self, wall: SystemTime) -> Option<SystemTime> {
        match self.milliseconds < 0 {
            true => wall.checked_add(self.size()),
            false => wall.checked_sub(self.size()),
        }
    }
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.size().as_secs();
        let direction = if self.milliseconds < 0 { "behind" } else { "ahead of" };
        match seconds {
            0 => f.write_str("in step with AWS's"),
            1..120 => write!(f, "{seconds} s {direction} AWS's"),
            120..7200 => write!(f, "{} min {direction} AWS's", (seconds + 30) / 60),
            7200..172_800 => write!(f, "{} h {direction} AWS's", (seconds + 1800) / 3600),
            _ => write!(f, "{} days {direction} AWS's", (seconds + 43_200) / 86_400),
        }
    }
}

#[cfg(test)]
mod tests;
