//! AWS's time, and how far this machine's wall clock is from it.
//!
//! AWS says the time in the Date header field of each answer. A [`Measurement`] is carried forward by the boottime clock, so
//! that a step of the wall clock changes the skew at once and leaves AWS's time as it is.

use std::fmt;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

/// A Date header field has whole seconds, so AWS's clock may be that much further.
const DATE_RESOLUTION: Duration = Duration::from_secs(1);

/// From this skew on people are told: AWS refuses signatures that are more than 5 min off (IAM User Guide, "Elements of an AWS
/// API request signature").
pub const SERIOUS_SKEW: Duration = Duration::from_secs(5 * 60);

/// How far the wall clock is ahead of AWS's; negative where it is behind.
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
    /// The last measurement.
    pub fn last(&self) -> Option<Measurement> {
        *self.0.borrow()
    }

    /// Replaces the last measurement.
    pub fn record(&self, measurement: Measurement) {
        self.0.send_replace(Some(measurement));
    }

    /// Hears of each measurement.
    pub fn watch(&self) -> watch::Receiver<Option<Measurement>> {
        self.0.subscribe()
    }
}

impl Measurement {
    /// Measures by an answer that has just come, when the clocks show `wall` and `boot`: `date` is its Date, `asked` the boottime
    /// clock before the request was made.
    ///
    /// AWS's clock has shown `date` at some moment since then. Where the wall clock agrees with that, it is taken as right,
    /// because a clock that is synchronised is more precise than a measurement; otherwise the nearest time that agrees counts.
    pub(super) fn by_answer(date: SystemTime, asked: Duration, wall: SystemTime, boot: Duration) -> Self {
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

    /// Takes over a skew that was measured by another process, when the clocks show `wall` and `boot`.
    pub(super) fn by_skew(skew: Skew, wall: SystemTime, boot: Duration) -> Option<Self> {
        Some(Self {
            time: skew.subtract_from(wall)?,
            boot,
            skew,
        })
    }

    /// AWS's time now.
    pub(super) fn now(&self, boot: Duration) -> SystemTime {
        self.time
            .checked_add(boot.saturating_sub(self.boot))
            .unwrap_or(self.time)
    }
}

impl Skew {
    /// The skew of a wall clock that shows `wall` when it is `aws` by AWS's clock.
    pub fn between(wall: SystemTime, aws: SystemTime) -> Self {
        let whole = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let milliseconds = match wall.duration_since(aws) {
            Ok(ahead) => whole(ahead),
            Err(behind) => -whole(behind.duration()),
        };
        Self { milliseconds }
    }

    /// From seconds ahead.
    pub fn from_seconds(seconds: i64) -> Self {
        Self {
            milliseconds: seconds.saturating_mul(1000),
        }
    }

    /// From milliseconds ahead.
    pub fn from_milliseconds(milliseconds: i64) -> Self {
        Self { milliseconds }
    }

    /// In milliseconds ahead.
    pub fn milliseconds(self) -> i64 {
        self.milliseconds
    }

    /// In whole seconds ahead: more than that a Date header field does not tell.
    pub fn whole_seconds(self) -> i64 {
        self.milliseconds / 1000
    }

    /// In seconds ahead.
    pub fn seconds(self) -> f64 {
        let size = self.size().as_secs_f64();
        if self.milliseconds < 0 { -size } else { size }
    }

    /// How far it is off, in whichever direction.
    pub fn size(self) -> Duration {
        Duration::from_millis(self.milliseconds.unsigned_abs())
    }

    /// How far it is ahead; zero where it is behind.
    pub fn ahead(self) -> Duration {
        Duration::from_millis(u64::try_from(self.milliseconds).unwrap_or(0))
    }

    /// How far it is behind; zero where it is ahead.
    pub fn behind(self) -> Duration {
        Self {
            milliseconds: self.milliseconds.saturating_neg(),
        }
        .ahead()
    }

    /// Whether AWS may refuse signatures made by this clock.
    pub fn is_serious(self) -> bool {
        self.size() > SERIOUS_SKEW
    }

    /// How much it differs from another one.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.milliseconds.abs_diff(other.milliseconds))
    }

    /// Returns the time of AWS's clock when the wall clock shows `wall`.
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
