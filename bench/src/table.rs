//! The table of value, floor, ratio and budget.

use std::fmt;
use std::time::Duration;

/// A figure with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// A time.
    Time(Duration),
    /// A size in bytes.
    Bytes(u64),
    /// Events in a minute.
    PerMinute(f64),
    /// Events per second, where more is better: half as many is twice the floor.
    PerSecond(f64),
    /// A count.
    Count(u64),
}

/// The upper limit for a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// This many times the floor.
    TimesFloor(f64),
    /// At most this figure.
    AtMost(Figure),
    /// No promise; the figure is for the record.
    None,
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The name of the measurement.
    pub what: String,
    /// The figure.
    pub value: Figure,
    /// The lower bound from the same run.
    pub floor: Option<Figure>,
    /// The promise.
    pub budget: Budget,
}

/// Returns the heading of the table.
#[must_use]
pub fn header() -> String {
    line("", "value", "floor", "ratio", "budget")
}

impl Row {
    /// Returns the ratio to the lower bound.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let floor = self.floor?.magnitude();
        (floor > 0.0).then(|| self.value.magnitude() / floor)
    }

    /// Returns whether the promise is kept; `None` if there is none, or no lower bound to compare with.
    #[must_use]
    pub fn is_within_budget(&self) -> Option<bool> {
        match self.budget {
            Budget::TimesFloor(times) => self.ratio().map(|ratio| ratio <= times),
            Budget::AtMost(most) => Some(self.value.magnitude() <= most.magnitude()),
            Budget::None => None,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.is_within_budget() {
            Some(true) => "  ok",
            Some(false) => "  OVER",
            None => "",
        };
        let budget = match self.budget {
            Budget::TimesFloor(times) => format!("{times}x floor{verdict}"),
            Budget::AtMost(most) => format!("{most}{verdict}"),
            Budget::None => String::new(),
        };
        let floor = self.floor.map_or_else(String::new, |floor| floor.to_string());
        let ratio = self.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}x"));
        f.write_str(&line(&self.what, &self.value.to_string(), &floor, &ratio, &budget))
    }
}

fn line(what: &str, value: &str, floor: &str, ratio: &str, budget: &str) -> String {
    format!("{what:<44} {value:>10} {floor:>10} {ratio:>7}  {budget}")
        .trim_end()
        .to_owned()
}

impl Figure {
    fn magnitude(self) -> f64 {
        match self {
            Self::Time(time) => time.as_secs_f64(),
            Self::Bytes(bytes) => Duration::from_secs(bytes).as_secs_f64(),
            Self::PerMinute(count) => count,
            Self::PerSecond(count) => 1.0 / count,
            Self::Count(count) => Duration::from_secs(count).as_secs_f64(),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Time(time) if time < Duration::from_millis(1) => write!(f, "{:.1} us", time.as_secs_f64() * 1e6),
            Self::Time(time) if time < Duration::from_secs(1) => write!(f, "{:.1} ms", time.as_secs_f64() * 1e3),
            Self::Time(time) => write!(f, "{:.2} s", time.as_secs_f64()),
            Self::Bytes(bytes) if bytes < 1_000 => write!(f, "{bytes} B"),
            Self::Bytes(bytes) if bytes < 20_000 => write!(f, "{:.1} kB", self.magnitude() / 1e3),
            Self::Bytes(bytes) if bytes < 1_000_000 => write!(f, "{} kB", bytes / 1000),
            Self::Bytes(_) => write!(f, "{:.2} MB", self.magnitude() / 1e6),
            Self::PerMinute(count) => write!(f, "{count:.1} /min"),
            Self::PerSecond(count) => write!(f, "{count:.0} /s"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        for (figure, text) in [
            (Figure::Time(Duration::from_nanos(12_340)), "12.3 us"),
            (Figure::Time(Duration::from_micros(12_340)), "12.3 ms"),
            (Figure::Time(Duration::from_millis(1_234)), "1.23 s"),
            (Figure::Bytes(599_999), "599 kB"),
            (Figure::Bytes(5_000_000), "5.00 MB"),
            (Figure::Bytes(999), "999 B"),
            (Figure::Bytes(8_249), "8.2 kB"),
            (Figure::PerMinute(5.96), "6.0 /min"),
            (Figure::PerSecond(1234.5), "1234 /s"),
            (Figure::Count(0), "0"),
        ] {
            assert_eq!(figure.to_string(), text);
        }
    }

    #[test]
    fn budgets_are_judged() {
        let (one, three) = (
            Figure::Time(Duration::from_millis(1)),
            Figure::Time(Duration::from_millis(3)),
        );
        let [few, many, most] = [40.0, 60.0, 100.0].map(Figure::PerSecond);
        for (value, floor, budget, verdict) in [
            (one, Some(one), Budget::TimesFloor(2.0), Some(true)),
            (three, Some(one), Budget::TimesFloor(2.0), Some(false)),
            (three, None, Budget::TimesFloor(2.0), None),
            (three, Some(Figure::Time(Duration::ZERO)), Budget::TimesFloor(2.0), None),
            (three, None, Budget::AtMost(three), Some(true)),
            (three, None, Budget::AtMost(one), Some(false)),
            (three, None, Budget::None, None),
            (many, Some(most), Budget::TimesFloor(2.0), Some(true)),
            (few, Some(most), Budget::TimesFloor(2.0), Some(false)),
        ] {
            let row = Row {
                what: "answer".to_owned(),
                value,
                floor,
                budget,
            };
            assert_eq!(row.is_within_budget(), verdict, "{row}");
        }
    }

    #[test]
    fn a_row_is_a_line() {
        let value = Figure::Time(Duration::from_micros(30));
        let floor = Some(Figure::Time(Duration::from_micros(20)));
        let row = Row {
            what: "answer".to_owned(),
            value,
            floor,
            budget: Budget::TimesFloor(2.0),
        };
        let words: Vec<_> = row.to_string().split_whitespace().map(str::to_owned).collect();
        assert_eq!(
            words,
            ["answer", "30.0", "us", "20.0", "us", "1.50x", "2x", "floor", "ok"]
        );
    }
}
