use super::*;
use crate::clock::Clock;
use crate::clock::manual::ManualClock;

const NOW: u64 = 1_800_000_000;

fn at(seconds: i64) -> SystemTime {
    let since = u64::try_from(1_800_000_000 + seconds).unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since)
}

#[test]
fn a_measurement_is_as_good_as_the_request_was_quick() {
    // How far the wall clock is from the Date of the answer, in milliseconds; how long the request took; the skew found.
    for (wall, took, skew) in [
        (0, 0, 0),
        (999, 0, 0),
        (1000, 0, 0),
        (1001, 0, 1),
        (-1, 0, -1),
        (-1, 5000, -1),
        (3000, 2000, 0),
        (3001, 2000, 1),
        (30_000, 60_000, 0),
        (1_200_000, 500, 1_198_500),
        (-1_200_000, 500, -1_200_000),
        (-86_400_000, 60_000, -86_400_000),
    ] {
        let clock = ManualClock::at(NOW);
        let asked = clock.boot();
        clock.pass(Duration::from_millis(took));
        clock.step_to(Skew::from_milliseconds(-wall).subtract_from(at(0)).unwrap());
        let measurement = clock.measure(at(0), asked);
        assert_eq!(measurement.skew.milliseconds(), skew, "{wall} {took}");
        clock.aws().record(measurement);
        assert_eq!(clock.skew().unwrap().milliseconds(), skew, "{wall} {took}");
    }
}

#[test]
fn a_step_changes_the_skew_at_once_and_awss_time_continues() {
    let clock = ManualClock::ahead_of_aws(NOW, 1200);
    assert_eq!(clock.aws_now(), at(-1200));
    clock.pass(Duration::from_secs(50));
    assert_eq!(clock.aws_now(), at(-1150));
    assert_eq!(clock.skew().unwrap().whole_seconds(), 1200);
    for (wall, skew) in [(-1150, 0), (-1151, -1), (0, 1150), (-1_800_000_000, -1_799_998_850)] {
        clock.step_to(at(wall));
        assert_eq!(clock.aws_now(), at(-1150), "{wall}");
        assert_eq!(clock.skew().unwrap().whole_seconds(), skew, "{wall}");
    }
}

#[test]
fn what_expires_is_judged_by_the_latest_time_that_it_may_be() {
    // How far ahead the clock was at the measurement and is now, and how much later than thought it may be at AWS.
    for (before, after, later) in [
        (0, 0, 0),
        (0, 1200, 1200),
        (0, -1200, 0),
        (1200, 1200, 0),
        (1200, 0, 0),
        (1200, 1300, 100),
        (-1200, 0, 0),
        (-1200, -2400, 0),
        (-1200, 300, 300),
        (1200, -1200, 0),
    ] {
        let clock = ManualClock::ahead_of_aws(NOW, before);
        clock.step_to(Skew::from_seconds(-after).subtract_from(clock.aws_now()).unwrap());
        let moved = clock.latest_aws_now().duration_since(clock.aws_now()).unwrap();
        assert_eq!(moved, Duration::from_secs(later), "{before} {after}");
    }
    let unmeasured = ManualClock::at(NOW);
    assert_eq!(unmeasured.latest_aws_now(), unmeasured.wall());
}

#[test]
fn a_skew_is_shown_in_a_suitable_unit() {
    for (milliseconds, words) in [
        (0, "in step with AWS's"),
        (999, "in step with AWS's"),
        (-999, "in step with AWS's"),
        (1000, "1 s ahead of AWS's"),
        (-119_999, "119 s behind AWS's"),
        (120_000, "2 min ahead of AWS's"),
        (-1_199_000, "20 min behind AWS's"),
        (7_199_000, "120 min ahead of AWS's"),
        (-7_200_000, "2 h behind AWS's"),
        (86_400_000, "24 h ahead of AWS's"),
        (-172_800_000, "2 days behind AWS's"),
        (i64::MIN, "106751991167 days behind AWS's"),
    ] {
        assert_eq!(
            Skew::from_milliseconds(milliseconds).to_string(),
            words,
            "{milliseconds}"
        );
    }
}
