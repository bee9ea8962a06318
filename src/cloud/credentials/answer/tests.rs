//! Tests of answers of the credentials provider.

use super::*;
use crate::clock::manual::ManualClock;

const NOW: u64 = 1_800_000_000; // 2027-01-15T08:00:00Z

fn body(expiration: &str) -> String {
    format!(
        r#"{{"credentials":{{"accessKeyId":"ASIA1","secretAccessKey":"s3cr3t","sessionToken":"t0k3n","expiration":"{expiration}"}}}}"#
    )
}

#[test]
fn an_answer_is_believed_for_its_expiration_only() {
    let clock = ManualClock::at(NOW);
    let credentials = parse(body("2027-01-15T08:15:00Z").as_bytes(), Arrival::default(), &*clock).unwrap();
    assert_eq!(credentials.remaining(&*clock), Duration::from_secs(900));
}

#[test]
fn promise_14_awss_date_decides_how_long_a_set_lives() {
    let at = |seconds: i64| {
        let since = u64::try_from(i64::try_from(NOW).unwrap() + seconds).unwrap();
        SystemTime::UNIX_EPOCH + Duration::from_secs(since)
    };
    let (day, week) = (86_400, 604_800);
    // How far this machine's clock is ahead; how far the Date differs from AWS's clock, if there is one; the lifetime that AWS gives; the
    // lifetime that is assumed, if the credentials are used; and the recorded skew.
    type Case = (i64, Option<i64>, i64, Option<i64>, Option<i64>);
    let cases: [Case; 26] = [
        (0, Some(0), 3600, Some(3600), Some(0)),
        (1, Some(0), 3600, Some(3599), Some(0)),
        (-1, Some(0), 3600, Some(3600), Some(-1)),
        (1200, Some(0), 3600, Some(3597), Some(1197)),
        (-1200, Some(0), 3600, Some(3600), Some(-1200)),
        (1200, Some(0), 900, Some(897), Some(1197)),
        (-1200, Some(0), 900, Some(900), Some(-1200)),
        (1200, Some(0), 63, None, None),
        (-1200, Some(0), 60, None, None),
        (-1200, Some(0), -60, None, None),
        (-1200, Some(0), -1100, None, None),
        (1200, Some(0), -60, None, None),
        (-day, Some(0), 3600, Some(3600), Some(-day)),
        (day, Some(0), 3600, Some(3597), Some(day - 3)),
        (-week, Some(0), 43_200, Some(43_200), Some(-week)),
        // Contradictory values from AWS: the Date is used if that is the safe side.
        (0, Some(3700), 3600, None, None),
        (0, Some(-3700), 3600, Some(7297), Some(3697)),
        (0, Some(-week), 3600, Some(3600), None),
        (0, Some(week), 3600, Some(3600), None),
        (0, Some(-50 * 365 * day), 3600, Some(3600), None),
        (0, Some(100 * 365 * day), 3600, Some(3600), None),
        // Without a Date only this machine's clock is known.
        (0, None, 3600, Some(3600), None),
        (1200, None, 3600, Some(2400), None),
        (-1200, None, 3600, Some(4800), None),
        (1200, None, 900, None, None),
        (-1200, None, -60, Some(1140), None),
    ];
    for (ahead, date, lifetime, expected, skew) in cases {
        let clock = ManualClock::at(NOW);
        clock.step_to(at(ahead));
        // The request takes two seconds.
        let asked = clock.boot();
        clock.pass(Duration::from_secs(2));
        clock.step_to(at(ahead));
        let arrival = Arrival {
            date: date.map(at),
            asked,
        };
        let what = format!("{ahead} {date:?} {lifetime}");
        let text = body(&rfc3339(at(lifetime)));
        let credentials = parse(text.as_bytes(), arrival, &*clock).ok();
        let found = credentials.map(|set| i64::try_from(set.remaining(&*clock).as_secs()).unwrap());
        assert_eq!(found, expected, "{what}");
        assert_eq!(clock.skew().map(|skew| skew.whole_seconds()), skew, "{what}");
    }
}

#[test]
fn an_earlier_time_of_aws_counts_if_a_response_has_none() {
    for ahead in [-1200, 1200] {
        let clock = ManualClock::ahead_of_aws(NOW, ahead);
        let expiration = rfc3339(clock.aws_now() + Duration::from_secs(900));
        let credentials = parse(body(&expiration).as_bytes(), Arrival::default(), &*clock).unwrap();
        assert_eq!(credentials.remaining(&*clock), Duration::from_secs(900), "{ahead}");
    }
}

#[test]
fn unusable_answers_name_the_reason_and_no_secret() {
    let clock = ManualClock::at(NOW);
    let cases = [
        (
            body("2027-01-15T07:00:00Z"),
            "expired at 2027-01-15T07:00:00Z and it is 2027-01-15T08:00:00Z",
        ),
        (body("2027-01-15T08:00:59Z"), "are valid only until"),
        (body("tomorrow"), "its expiration is not a time: \"tomorrow\""),
        (
            r#"{"credentials":{"accessKeyId":"ASIA1","secretAccessKey":"s3cr3t"}}"#.into(),
            "not a set of credentials",
        ),
        (r#"{"credentials":"s3cr3t"}"#.into(), "not a set of credentials"),
        ("<html>".into(), "not a set of credentials (line 1, column 1)"),
        (String::new(), "not a set of credentials"),
    ];
    for (text, expected) in cases {
        let reason = parse(text.as_bytes(), Arrival::default(), &*clock).expect_err(&text);
        assert!(
            reason.contains(expected) && !reason.contains("s3cr3t"),
            "{text}: {reason}"
        );
    }
}

#[test]
fn a_part_that_cannot_be_one_is_named_and_never_shown() {
    let clock = ManualClock::at(NOW);
    let parse_with = |part: usize, value: &str| {
        let mut parts = ["ASIA1", "s3cr3t", "t0k3n"];
        parts[part] = value;
        let [id, key, token] = parts.map(|part| serde_json::to_string(part).unwrap());
        let body = format!(
            r#"{{"credentials":{{"accessKeyId":{id},"secretAccessKey":{key},"sessionToken":{token},"expiration":"2027-01-15T09:00:00Z"}}}}"#
        );
        super::parse(body.as_bytes(), Arrival::default(), &*clock).map(drop)
    };
    let long = "l0ng".repeat(10_000);
    let wrong = [
        ("", "is empty"),
        (" ", "has a space"),
        ("l0ng part", "has a space"),
        ("l0ng ", "has a space"),
        (" l0ng", "has a space"),
        ("l0ng\n", "has a control character"),
        ("l0ng\r\nX-Amz-Date: 1", "has a control character"),
        ("l0ng\tpart", "has a control character"),
        ("l0ng\0", "has a control character"),
        ("\u{1b}[31ml0ng", "has a control character"),
        ("l0ng\u{7f}", "has a control character"),
        ("l0ng\u{85}", "is not ASCII"),
        ("l0ng\u{a0}", "is not ASCII"),
        ("l0ng\u{fc}", "is not ASCII"),
        ("l0ng\u{202e}", "is not ASCII"),
        ("l0ng\u{feff}", "is not ASCII"),
        ("\u{fffd}l0ng", "is not ASCII"),
        (&long, "has 40000 bytes"),
    ];
    for (part, name) in ["accessKeyId", "secretAccessKey", "sessionToken"]
        .into_iter()
        .enumerate()
    {
        for (value, fault) in wrong {
            let why = parse_with(part, value).expect_err(value);
            assert!(why.contains(name) && why.contains(fault), "{value:?}: {why}");
            assert!(!why.contains("l0ng"), "{why}");
        }
    }
    for (part, most) in [MAX_ACCESS_KEY_ID, MAX_SECRET_ACCESS_KEY, MAX_SESSION_TOKEN]
        .into_iter()
        .enumerate()
    {
        assert_eq!(parse_with(part, &"x".repeat(most)), Ok(()));
        assert!(parse_with(part, &"x".repeat(most + 1)).is_err());
        assert_eq!(parse_with(part, "aZ09+/=_-.~\"\\'"), Ok(()));
    }
}

#[test]
fn implausibly_long_lifetimes_are_refused() {
    let clock = ManualClock::at(NOW);
    for (expiration, seconds) in [
        ("2027-01-15T19:59:59Z", 43_199),
        ("2027-01-15T20:00:00Z", 43_200),
        ("2027-01-15T20:00:01Z", 43_200),
        ("2027-01-16T08:00:00Z", 43_200),
        ("2037-01-15T08:00:00Z", 43_200),
        ("9999-12-31T23:59:59Z", 43_200),
    ] {
        let credentials = parse(body(expiration).as_bytes(), Arrival::default(), &*clock).unwrap();
        assert_eq!(
            credentials.remaining(&*clock),
            Duration::from_secs(seconds),
            "{expiration}"
        );
        let shown: serde_json::Value = serde_json::from_slice(&credentials.body(&*clock).expose()).unwrap();
        let latest = if seconds == 43_200 {
            "2027-01-15T20:00:00Z"
        } else {
            expiration
        };
        assert_eq!(shown["Expiration"], latest);
    }
}

#[test]
fn failures_are_sorted_by_what_the_reader_can_do() {
    let cases = [
        (500, "", "throttled"),
        (503, "slow down", "throttled"),
        (502, "", "throttled"),
        (429, "Too many", "throttled"),
        (400, "ThrottlingException: Rate exceeded", "throttled"),
        (400, "Rate exceeded", "throttled"),
        (403, "TooManyRequestsException", "throttled"),
        (400, "Throttled", "throttled"),
        (400, "LimitExceededException", "throttled"),
        (302, "", "transient"),
        (408, "", "transient"),
        (204, "", "transient"),
        (403, "Invalid thing name passed", "refused"),
        (403, "Access Denied", "refused"),
        (404, "Role alias does not exist", "refused"),
        (
            400,
            "Unable to assume the role, or the role to assume does not exist",
            "refused",
        ),
    ];
    for (status, said, kind) in cases {
        let failure = refusal("telemetry", StatusCode::from_u16(status).unwrap(), said);
        assert_eq!(failure.kind(), kind, "{status} {said}");
        assert!(
            failure.problem().message.contains(said),
            "AWS's own words are passed on"
        );
    }
}

#[test]
fn words_are_aws_message_or_a_short_line() {
    assert_eq!(words(br#"{"message":"Access Denied"}"#, ""), "Access Denied");
    assert_eq!(words(br#"{"Message":"Denied"}"#, ""), "Denied");
    assert_eq!(words(b"a\nb", ""), "a b");
    assert_eq!(words(body("tomorrow").as_bytes(), ""), "(JSON without a message)");
    assert_eq!(words(b"<html>", "text/html"), "(a web page)");
    assert_eq!(
        words(&[b'x'; 4000], "").chars().count(),
        crate::foreign_text::MAX_QUOTED
    );
}
