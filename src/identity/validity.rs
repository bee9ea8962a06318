//! Checks whether a certificate is valid now.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::error::CertificateError;
use crate::clock::{Clock, is_set, rfc3339};
use crate::event::Event;
use crate::problem::Problem;

/// The wait for a new certificate that is not reported as a fault: the clock of the machine that signed it may be ahead.
const SHORT_WAIT: Duration = Duration::from_secs(5 * 60);

/// Checks the validity by the clock. AWS judges by its own clock, so AWS's time is used as soon as it is known. While the clock
/// is unset every certificate passes, and it is checked again once the clock is set.
///
/// # Errors
/// If the certificate is not valid yet or has expired.
pub(super) fn check_validity(
    path: &Path,
    from: SystemTime,
    until: SystemTime,
    clock: &dyn Clock,
) -> Result<(), CertificateError> {
    if !is_set(clock) {
        return Ok(());
    }
    let now = clock.aws_now();
    let clock_name = match clock.aws().last() {
        Some(_) => "AWS's clock",
        None => "this machine's clock",
    };
    if let Ok(wait) = from.duration_since(now)
        && !wait.is_zero()
    {
        let (path, from_text, now) = (path.display(), rfc3339(from), rfc3339(now));
        let problem = match wait <= SHORT_WAIT {
            // The clock of the machine that signed it is ahead, which is not a fault.
            true => Problem::expected(format!(
                "{path} is valid from {from_text} on and will be used then; it is {now} by {clock_name}"
            )),
            false => Problem::wait(format!(
                "{path} is valid only from {from_text} on; it is {now} by {clock_name}"
            ))
            .next("check the clock: timedatectl"),
        };
        return Err(CertificateError::NotYetValid(from, problem));
    }
    if now > until {
        let what = format!("expired on {}; it is {} by {clock_name}", rfc3339(until), rfc3339(now));
        let problem = Problem::configuration(format!("{} {what}", path.display()))
            .next("have the signing request device.csr signed again, and check the clock: timedatectl")
            .about(Event::CertificateExpiring);
        return Err(CertificateError::Unusable(problem));
    }
    Ok(())
}

/// Converts Unix seconds. A time before 1970 becomes 1970, and no recent certificate has one.
pub(super) fn to_system_time(unix_seconds: i64) -> SystemTime {
    match u64::try_from(unix_seconds) {
        Ok(seconds) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        Err(_) => SystemTime::UNIX_EPOCH,
    }
}

/// Converts a time to Unix seconds.
pub(super) fn to_unix_seconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::problem::Remedy;

    const NOW: u64 = 1_800_000_000;

    /// Checks a certificate that begins so many seconds from now and is valid for an hour.
    fn find_problem(begins_in: i64, clock: &dyn Clock) -> Option<(bool, Problem)> {
        let from = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.saturating_add_signed(begins_in));
        let until = from + Duration::from_secs(3600);
        match check_validity(Path::new("device.pem"), from, until, clock).err()? {
            CertificateError::NotYetValid(_, problem) => Some((true, problem)),
            CertificateError::Unusable(problem) => Some((false, problem)),
            CertificateError::Missing => None,
        }
    }

    #[test]
    fn a_certificate_that_begins_in_a_moment_is_waited_for() {
        let clock = ManualClock::at(NOW);
        for (begins_in, remedy, words) in [
            (
                1,
                Some(Remedy::None),
                "valid from 2027-01-15T08:00:01Z on and will be used then",
            ),
            (
                2,
                Some(Remedy::None),
                "it is 2027-01-15T08:00:00Z by this machine's clock",
            ),
            (60, Some(Remedy::None), "will be used then"),
            (300, Some(Remedy::None), "will be used then"),
            (301, Some(Remedy::Wait), "is valid only from"),
            (86_400, Some(Remedy::Wait), "is valid only from"),
            (0, None, ""),
            (-1, None, ""),
            (-3600, None, ""),
            (-3601, Some(Remedy::Configuration), "expired on 2027-01-15T07:59:59Z"),
        ] {
            let found = find_problem(begins_in, &*clock);
            assert_eq!(found.as_ref().map(|(_, problem)| problem.remedy), remedy, "{begins_in}");
            let (again, problem) = found.unzip();
            assert_eq!(
                again,
                remedy.map(|remedy| remedy != Remedy::Configuration),
                "{begins_in}"
            );
            let message = problem.map(|problem| problem.message).unwrap_or_default();
            assert!(message.contains(words), "{begins_in}: {message}");
        }
    }

    #[test]
    fn promise_14_awss_time_decides_where_it_is_known() {
        for (ahead, begins_in, taken) in [
            (0, 10, false),
            (-1200, 10, true),
            (-1200, 1190, true),
            (-1200, 1210, false),
            (1200, -1210, true),
            (1200, -10, false),
            (1200, -3600, true),
            (1200, -4801, false),
            (-1200, -2399, true),
            (-1200, -2401, false),
        ] {
            let clock = ManualClock::ahead_of_aws(NOW, ahead);
            let found = find_problem(begins_in, &*clock);
            assert_eq!(found.is_none(), taken, "{ahead} {begins_in}: {found:?}");
            assert!(found.is_none_or(|(_, problem)| problem.message.contains("by AWS's clock")));
        }
        let unset = ManualClock::at(60);
        assert_eq!(find_problem(10, &*unset), None, "nothing to compare with");
    }
}
