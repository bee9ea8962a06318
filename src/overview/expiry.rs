//! Stages before the expiry of a certificate at which warnings are issued.

use std::time::{Duration, SystemTime};

use crate::clock::rfc3339;
use crate::problem::Problem;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The first warning: enough time to notice it, and to sign and deliver a new certificate.
const EARLY: Duration = Duration::from_secs(30 * 24 * 3600);
/// The urgent warning.
const LATE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The stage of a certificate before its expiry.
///
/// Warnings begin 30 days and 7 days before the end. For a certificate with a lifetime below 90 or 70 days, they begin with the last
/// third and the last tenth of the lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// No warning yet.
    Far,
    /// The first warning: the renewal should be under way.
    Near,
    /// The urgent warning.
    Imminent,
    /// The certificate has expired.
    Over,
}

impl Expiry {
    /// Returns the stage at `now`.
    pub fn at(now: SystemTime, not_before: SystemTime, not_after: SystemTime) -> Self {
        let Some(left) = left(now, not_after) else {
            return Self::Over;
        };
        let (early, late) = thresholds(not_before, not_after);
        match left {
            left if left <= late => Self::Imminent,
            left if left <= early => Self::Near,
            _ => Self::Far,
        }
    }

    /// Returns the time from `now` until the next stage; `None` after the last.
    pub fn time_to_next(now: SystemTime, not_before: SystemTime, not_after: SystemTime) -> Option<Duration> {
        let left = left(now, not_after)?;
        let (early, late) = thresholds(not_before, not_after);
        let next = [early, late, Duration::ZERO]
            .into_iter()
            .find(|threshold| *threshold < left)?;
        Some(left - next)
    }
}

/// Returns the problem of a certificate that expires soon or has expired. `method` is the method of enrolment that renews it; `None`
/// where that is done by hand.
pub fn expiry_problem(
    now: SystemTime,
    not_before: SystemTime,
    not_after: SystemTime,
    method: Option<&str>,
) -> Option<Problem> {
    let (end, left) = (rfc3339(not_after), remaining_text(now, not_after));
    let message = match Expiry::at(now, not_before, not_after) {
        Expiry::Far => return None,
        Expiry::Near => format!("the certificate ends at {end}, in {left}"),
        Expiry::Imminent => {
            format!(
                "the certificate ends at {end}, in {left}, and AWS accepts no connection of this gateway after that"
            )
        }
        Expiry::Over => format!("the certificate ended at {end}"),
    };
    Some(Problem::configuration(message).next(next_step(method)))
}

/// Returns what to do about a certificate that ends.
fn next_step(method: Option<&str>) -> &'static str {
    match method {
        None => "have the signing request signed again (gatepost csr) and put the certificate in its place",
        Some("est") => "find out why the EST server has not renewed it: gatepost renew --wait",
        Some("helper") => "find out why the enrolment program has not renewed it: gatepost renew --wait",
        Some(_) => "find out why it has not been renewed: gatepost renew --wait",
    }
}

/// Returns the remaining validity as text.
pub fn remaining_text(now: SystemTime, not_after: SystemTime) -> String {
    duration_text(not_after.duration_since(now).unwrap_or_default())
}

/// Formats a duration in the largest unit of which there are at least two.
fn duration_text(left: Duration) -> String {
    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);
    for (unit, name) in [(DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")] {
        let count = left.as_secs() / unit.as_secs();
        if count >= 2 {
            return format!("{count} {name}");
        }
    }
    "less than two minutes".to_owned()
}

fn left(now: SystemTime, not_after: SystemTime) -> Option<Duration> {
    not_after.duration_since(now).ok().filter(|left| !left.is_zero())
}

fn thresholds(not_before: SystemTime, not_after: SystemTime) -> (Duration, Duration) {
    let lifetime = not_after.duration_since(not_before).unwrap_or_default();
    (EARLY.min(lifetime / 3), LATE.min(lifetime / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_begin_at_30_and_7_days_or_a_third_and_a_tenth_of_the_lifetime() {
        let hour = Duration::from_secs(3600);
        let start = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        // Lifetime, remaining validity, the stage, and the time until the next stage.
        for (lifetime, left, expected, next) in [
            (3650 * DAY, 3650 * DAY, Expiry::Far, Some(3620 * DAY)),
            (365 * DAY, 31 * DAY, Expiry::Far, Some(DAY)),
            (365 * DAY, 30 * DAY, Expiry::Near, Some(23 * DAY)),
            (365 * DAY, 8 * DAY, Expiry::Near, Some(DAY)),
            (365 * DAY, 7 * DAY, Expiry::Imminent, Some(7 * DAY)),
            (365 * DAY, DAY, Expiry::Imminent, Some(DAY)),
            (
                365 * DAY,
                Duration::from_secs(1),
                Expiry::Imminent,
                Some(Duration::from_secs(1)),
            ),
            (365 * DAY, Duration::ZERO, Expiry::Over, None),
            (90 * DAY, 31 * DAY, Expiry::Far, Some(DAY)),
            (90 * DAY, 7 * DAY, Expiry::Imminent, Some(7 * DAY)),
            (60 * DAY, 21 * DAY, Expiry::Far, Some(DAY)),
            (60 * DAY, 20 * DAY, Expiry::Near, Some(14 * DAY)),
            (60 * DAY, 6 * DAY, Expiry::Imminent, Some(6 * DAY)),
            (30 * DAY, 10 * DAY, Expiry::Near, Some(7 * DAY)),
            (DAY, DAY, Expiry::Far, Some(16 * hour)),
            (DAY, 8 * hour, Expiry::Near, Some(8 * hour - DAY / 10)),
            (DAY, 2 * hour, Expiry::Imminent, Some(2 * hour)),
        ] {
            let (not_before, not_after) = (start, start + lifetime);
            let now = not_after - left;
            assert_eq!(
                Expiry::at(now, not_before, not_after),
                expected,
                "{left:?} of {lifetime:?}"
            );
            assert_eq!(
                Expiry::time_to_next(now, not_before, not_after),
                next,
                "{left:?} of {lifetime:?}"
            );
        }
        assert_eq!(Expiry::at(start + DAY, start, start), Expiry::Over);
        assert_eq!(Expiry::at(start - DAY, start, start), Expiry::Far, "no lifetime at all");
    }

    #[test]
    fn the_next_step_belongs_to_the_method_that_renews() {
        let end = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        for (method, words) in [
            (None, "gatepost csr"),
            (Some("est"), "EST server"),
            (Some("helper"), "enrolment program"),
            (Some("claim"), "gatepost renew --wait"),
        ] {
            for now in [end - DAY, end + DAY] {
                let problem = expiry_problem(now, end - 90 * DAY, end, method).unwrap();
                let step = problem.next_step.unwrap();
                assert!(step.contains(words), "{method:?}: {step}");
                assert_eq!(method.is_some(), !step.contains("gatepost csr"), "{method:?}: {step}");
            }
            assert_eq!(expiry_problem(end - 80 * DAY, end - 90 * DAY, end, method), None);
        }
    }

    #[test]
    fn a_duration_is_given_in_a_suitable_unit() {
        for (seconds, words) in [
            (0, "less than two minutes"),
            (119, "less than two minutes"),
            (120, "2 minutes"),
            (7199, "119 minutes"),
            (7200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
            (864_000, "10 days"),
        ] {
            assert_eq!(duration_text(Duration::from_secs(seconds)), words);
        }
    }
}
