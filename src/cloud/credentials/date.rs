//! The Date header field of an answer, which contains AWS's time.

use std::time::{Duration, SystemTime};

use hyper::header::{DATE, HeaderMap};

use crate::clock::build_date;
use crate::credentials::LONGEST_LIFETIME;

/// If an answer is dated longer than this after the expiration of its own credentials, its Date is wrong.
const OLDEST_CREDENTIALS: Duration = Duration::from_secs(24 * 3600);
/// Tolerance for rounded expirations, and for differences between the clocks of AWS's servers.
const TOLERANCE: Duration = Duration::from_secs(60);
/// Tolerance for the clock of the machine on which this program was built.
const BUILD_TOLERANCE: Duration = Duration::from_secs(24 * 3600);

/// Reads the Date of an answer, an HTTP date (RFC 9110, 5.6.7). `None` if there is no valid one, or if several differ.
pub(super) fn read(headers: &HeaderMap) -> Option<SystemTime> {
    let mut dates = headers.get_all(DATE).iter().map(|value| {
        let text = value.to_str().ok()?;
        httpdate::parse_http_date(text.trim()).ok()
    });
    let first = dates.next()??;
    dates.all(|other| other == Some(first)).then_some(first)
}

/// Returns whether AWS can have sent credentials with this expiration at `date`. AWS issues credentials for 12 h at most, so a Date that
/// contradicts the expiration is ignored.
pub(super) fn agrees(date: SystemTime, expiration: SystemTime) -> bool {
    let earliest = build_date().checked_sub(BUILD_TOLERANCE);
    if earliest.is_some_and(|earliest| date < earliest) {
        return false;
    }
    match expiration.duration_since(date) {
        Ok(lifetime) => lifetime <= LONGEST_LIFETIME + TOLERANCE,
        Err(past) => past.duration() <= OLDEST_CREDENTIALS,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    /// 2027-01-15T08:00:00Z.
    fn at(seconds: i64) -> SystemTime {
        let since = u64::try_from(1_800_000_000 + seconds).unwrap();
        SystemTime::UNIX_EPOCH + Duration::from_secs(since)
    }

    #[test]
    fn a_date_is_read_only_where_it_is_one() {
        const NOW: &str = "Fri, 15 Jan 2027 08:00:00 GMT";
        let cases: [(&[&[u8]], Option<SystemTime>); 20] = [
            (&[], None),
            (&[NOW.as_bytes()], Some(at(0))),
            (&[b"Friday, 15-Jan-27 08:00:00 GMT"], Some(at(0))),
            (&[b"Fri Jan 15 08:00:00 2027"], Some(at(0))),
            (&[b" Fri, 15 Jan 2027 08:00:00 GMT\t"], Some(at(0))),
            (&[NOW.as_bytes(), NOW.as_bytes()], Some(at(0))),
            (&[NOW.as_bytes(), b"Fri, 15 Jan 2027 08:00:01 GMT"], None),
            (&[NOW.as_bytes(), b"soon"], None),
            (&[b"soon", NOW.as_bytes()], None),
            (&[b"Fri, 15 Jan 2027 08:00:00 GMT, Fri, 15 Jan 2027 08:00:00 GMT"], None),
            (&[b""], None),
            (&[b"soon"], None),
            (&[b"2027-01-15T08:00:00Z"], None),
            (&[b"1800000000"], None),
            (&[b"Fri, 15 Jan 2027 08:00:00 CET"], None),
            (&[b"Fri, 32 Jan 2027 08:00:00 GMT"], None),
            (&[b"Fri, 15 Jan 2027 25:00:00 GMT"], None),
            (&[b"Fri, 15 J\xe4n 2027 08:00:00 GMT"], None),
            (&[b"Fri, 15 Jan -027 08:00:00 GMT"], None),
            (&[b"Fri, 15 Jan 99999 08:00:00 GMT"], None),
        ];
        for (fields, expected) in cases {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(DATE, HeaderValue::from_bytes(field).unwrap());
            }
            let shown: Vec<_> = fields.iter().map(|field| String::from_utf8_lossy(field)).collect();
            assert_eq!(read(&headers), expected, "{shown:?}");
        }
    }

    #[test]
    fn a_date_that_contradicts_the_expiration_is_not_believed() {
        let expiration = at(3600);
        for (date, expected) in [
            (at(0), true),
            (at(3599), true),
            (at(3600), true),
            (at(3600 + 1800), true),
            (at(3600 + 86_400), true),
            (at(3600 + 86_401), false),
            (at(3600 - 900), true),
            (at(3600 - 43_200), true),
            (at(3600 - 43_260), true),
            (at(3600 - 43_261), false),
            (SystemTime::UNIX_EPOCH, false),
            (at(10 * 365 * 86_400), false),
        ] {
            assert_eq!(agrees(date, expiration), expected, "{date:?}");
        }
        let in_1970 = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        assert!(!agrees(in_1970, in_1970 + Duration::from_secs(3600)));
    }
}
