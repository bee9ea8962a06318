//! This machine's clock.

use super::lines::{CLOCK, CLOCK_SKEW};
use super::report::Report;
use crate::clock::{SharedClock, is_set, rfc3339};
use crate::problem::{Exit, Problem};
use crate::timekeeper;

/// The line about it; whether it is set.
pub fn clock_line(clock: &SharedClock, report: &mut Report) -> bool {
    let (set, now) = (is_set(&**clock), rfc3339(clock.wall()));
    match set {
        true => report.ok(CLOCK, now),
        false => report.fail(
            CLOCK,
            Exit::Unavailable,
            &Problem::wait(format!("the clock shows {now}, which is before this program was built"))
                .next("set it, or wait for the network's time: timedatectl"),
        ),
    }
    set
}

/// How far the clock is from AWS's, once AWS has said its time.
pub fn skew_line(clock: &SharedClock, report: &mut Report) {
    match clock.skew() {
        None => report.skip(CLOCK_SKEW, "AWS has not said it"),
        Some(skew) if skew.is_serious() => report.failed(CLOCK_SKEW, &timekeeper::skewed(skew)),
        Some(skew) => report.ok(CLOCK_SKEW, format!("this machine's clock is {skew}")),
    }
}
