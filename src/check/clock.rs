//! Checks of this machine's clock.

use super::lines::{CLOCK, CLOCK_SKEW};
use super::report::Report;
use crate::clock::{SharedClock, is_set, rfc3339};
use crate::problem::{Exit, Problem};
use crate::timekeeper;

/// Reports the wall clock; returns whether it is set.
pub fn check_clock(clock: &SharedClock, report: &mut Report) -> bool {
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

/// Reports the skew of the clock, if AWS's time is known.
pub fn check_skew(clock: &SharedClock, report: &mut Report) {
    match clock.skew() {
        None => report.skip(CLOCK_SKEW, "AWS's time is not known yet"),
        Some(skew) if skew.is_serious() => report.failed(CLOCK_SKEW, &timekeeper::skew_problem(skew)),
        Some(skew) => report.ok(CLOCK_SKEW, format!("this machine's clock is {skew}")),
    }
}
