//! Times in the daemon's documents, and their distance from now.

use std::time::SystemTime;

/// A time in seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(i64);

/// The earliest plausible time. gatepost did not exist before 2026, so earlier times come from a clock that was not set.
const CLOCK_WAS_SET: Instant = Instant(1_767_225_600);

impl Instant {
    /// Returns the current time of this machine's clock.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self(since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
    }

    /// Parses the daemon's form of RFC 3339: UTC with Z. Fractions are dropped.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let time = match time.split_once('.') {
            Some((_, fraction)) if !is_digits(fraction) => return None,
            Some((time, _)) => time,
            None => time,
        };
        let ([year, month, day], [hour, minute, second]) = (triple(date, '-')?, triple(time, ':')?);
        let sound = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        sound.then(|| Self(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second))
    }

    /// Returns the seconds from `now` until this time; 0 if it has passed.
    pub(crate) fn seconds_after(self, now: Self) -> u64 {
        self.0.saturating_sub(now.0).max(0).unsigned_abs()
    }

    /// Returns the time this many seconds later, or earlier if the number is negative.
    pub(crate) fn moved_by(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Returns the distance as text: "in 42 min", "3 h ago", "now".
    pub(crate) fn seen_from(self, now: Self) -> String {
        match self.0.checked_sub(now.0) {
            Some(0) => "now".to_owned(),
            _ if self.before_the_clock_was_set(now) => "before the clock was set".to_owned(),
            Some(ahead @ 1..) => format!("in {}", duration(ahead.unsigned_abs())),
            _ => format!("{} ago", duration(now.0.abs_diff(self.0))),
        }
    }

    /// Returns the duration as text: "for 3 h".
    pub(crate) fn lasting_until(self, now: Self) -> String {
        if self.before_the_clock_was_set(now) {
            return "since before the clock was set".to_owned();
        }
        // If the clock was set back, the beginning lies in the future.
        format!("for {}", duration(now.0.saturating_sub(self.0).max(0).unsigned_abs()))
    }

    fn before_the_clock_was_set(self, now: Self) -> bool {
        self < CLOCK_WAS_SET && now >= CLOCK_WAS_SET
    }
}

/// Formats a duration in one unit, with a value of at least two, so that rounding down never hides more than half.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn triple(text: &str, separator: char) -> Option<[i64; 3]> {
    numbers(text, separator)?.try_into().ok()
}

/// Parses numbers of at most nine digits each, so that nothing below can overflow.
fn numbers(text: &str, separator: char) -> Option<Vec<i64>> {
    let number = |part: &str| (part.len() <= 9 && is_digits(part)).then(|| part.parse().ok())?;
    text.split(separator).map(number).collect()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Howard Hinnant's `days_from_civil`, which counts years from March so that the leap day comes last
/// (<https://howardhinnant.github.io/date_algorithms.html>). Here it is limited to years from 0 on.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::{Instant, duration};
    use proptest::prelude::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59Z", Some(-1)),
            ("2000-02-29T12:34:56Z", Some(951_827_696)),
            ("2026-11-22T22:00:00Z", Some(1_795_384_800)),
            ("2026-11-22T22:00:00.125Z", Some(1_795_384_800)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("2026-11-22T22:00:00+00:00", None),
            ("2026-11-22 22:00:00Z", None),
            ("2026-11-22T22:00:00.Z", None),
            ("2026-11-22T22:00:00.1.2Z", None),
            ("2026-13-22T22:00:00Z", None),
            ("2026-11-22T24:00:00Z", None),
            ("2026-11-22T22:00Z", None),
            ("2026-+1-22T22:00:00Z", None),
            ("99999999999-11-22T22:00:00Z", None),
            ("Z", None),
            ("", None),
        ] {
            assert_eq!(Instant::parse(text), seconds.map(Instant), "{text}");
        }
    }

    #[test]
    fn times_are_shown_relative_to_now() {
        let now = Instant(1_795_384_800);
        for (seconds, seen) in [
            (0, "now"),
            (1, "in 1 s"),
            (42 * 60 + 59, "in 42 min"),
            (-3 * 3_600, "3 h ago"),
            (-119, "119 s ago"),
            (364 * 86_400, "in 364 days"),
            (-1_795_384_790, "before the clock was set"),
        ] {
            assert_eq!(Instant(now.0 + seconds).seen_from(now), seen);
        }
        assert_eq!(Instant(20).seen_from(Instant(10)), "in 10 s");
        assert_eq!(Instant(5).lasting_until(now), "since before the clock was set");
        assert_eq!(Instant(now.0 - 7_200).lasting_until(now), "for 2 h");
        assert_eq!(Instant(now.0 + 60).lasting_until(now), "for 0 s");
        assert_eq!(duration(u64::MAX), "213503982334601 days");
    }

    proptest! {
        #[test]
        fn no_time_panics(text in "[0-9TZ:.+-]{0,30}", year in 0_u32..999_999_999) {
            let now = Instant(1_795_384_800);
            for time in [Instant::parse(&text), Instant::parse(&format!("{year:04}-01-31T00:00:00Z"))].into_iter().flatten() {
                let _ = (time.seen_from(now), time.lasting_until(now), now.seen_from(time));
            }
        }
    }
}
