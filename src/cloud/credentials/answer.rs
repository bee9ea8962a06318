//! What the credentials provider's answer means: a set of credentials, or whose turn it is.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use serde::Deserialize;

use super::date;
use crate::clock::{Clock, rfc3339};
use crate::credentials::{Credentials, LONGEST_LIFETIME, USABLE_MARGIN};
use crate::problem::{Problem, quoted};
use crate::secret::{ExposeSecret, SecretString};

/// An access key ID has at most so many characters (IAM API reference, AccessKey).
const MAX_ACCESS_KEY_ID: usize = 128;
/// AWS documents no limit; a secret access key has 40 characters.
const MAX_SECRET_ACCESS_KEY: usize = 256;
/// AWS documents no limit for a session token, but a signed request carries it in a header field, and AWS takes 8 KiB of those.
const MAX_SESSION_TOKEN: usize = 8 * 1024;

/// Why there are no new credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The network, the name service or TLS: AWS has not answered.
    Unreachable(Problem),
    /// AWS has no capacity for us now: 429, 5xx or ThrottlingException.
    Throttled(Problem),
    /// The answer cannot be used: it heals by itself.
    Transient(Problem),
    /// AWS has understood and said no: somebody must change something there.
    Refused(Problem),
}

impl Failure {
    /// What to tell people.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Unreachable(problem)
            | Self::Throttled(problem)
            | Self::Transient(problem)
            | Self::Refused(problem) => problem,
        }
    }

    /// What to tell people.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Unreachable(problem)
            | Self::Throttled(problem)
            | Self::Transient(problem)
            | Self::Refused(problem) => problem,
        }
    }

    /// Tells whether two failures are of the same kind.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Throttled(_) => "throttled",
            Self::Transient(_) => "transient",
            Self::Refused(_) => "refused",
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    credentials: AnswerCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerCredentials {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: SecretString,
    expiration: String,
}

/// When an answer came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrival {
    /// Its Date, if it has one that can be read.
    pub date: Option<SystemTime>,
    /// The boottime clock before the request was made.
    pub asked: Duration,
}

/// The set of credentials in the body of an answer that has just come, with AWS's Date. If there is one, AWS's time is noted in
/// the clock.
///
/// Only `expiration` is believed; the alias's duration is not in the answer and may have been changed. How long the set lives is
/// counted from AWS's own time, because this machine's clock may be wrong.
///
/// # Errors
/// With the reason why there is none in it that can be used.
pub fn parse(body: &[u8], arrival: Arrival, clock: &dyn Clock) -> Result<Credentials, String> {
    // serde_json's messages name a place and a type, and may quote a value of the wrong type: the place is enough.
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        format!(
            "its body is no set of credentials (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let set = answer.credentials;
    let expiration = humantime::parse_rfc3339(&set.expiration)
        .map_err(|_| format!("its expiration is no time: {:?}", quoted(&set.expiration)))?;
    let measured = arrival
        .date
        .filter(|date| date::agrees(*date, expiration))
        .map(|date| clock.measure(date, arrival.asked));
    let (now, whose) = match (measured, clock.aws().last()) {
        (None, None) => (clock.wall(), "this machine's clock"),
        (None, Some(_)) => (clock.aws_now(), "AWS's clock"),
        (Some(measurement), _) => (measurement.time, "AWS's clock"),
    };
    let lifetime = expiration.duration_since(now).unwrap_or_default();
    if lifetime <= USABLE_MARGIN {
        let (end, now) = (rfc3339(expiration), rfc3339(now));
        return Err(match lifetime {
            Duration::ZERO => format!("the credentials expired at {end} and it is {now} by {whose}"),
            _ => format!("the credentials live only until {end} and it is {now} by {whose}"),
        });
    }
    for (name, value, max) in [
        ("accessKeyId", set.access_key_id.as_str(), MAX_ACCESS_KEY_ID),
        (
            "secretAccessKey",
            set.secret_access_key.expose_secret(),
            MAX_SECRET_ACCESS_KEY,
        ),
        ("sessionToken", set.session_token.expose_secret(), MAX_SESSION_TOKEN),
    ] {
        check_part(value, max).map_err(|why| format!("its {name} {why}"))?;
    }
    if let Some(measurement) = measured {
        clock.aws().record(measurement);
    }
    // A set that claims to live longer is used, but asked for again as if it did not: an answer that was forged or garbled
    // must not stay for ever, and where AWS has not said its time and this machine's clock is slow by hours, programs still get
    // their credentials.
    let longest = now.checked_add(LONGEST_LIFETIME).unwrap_or(expiration);
    let expiration = expiration.min(longest);
    Ok(Credentials::received(
        &set.access_key_id,
        &set.secret_access_key,
        &set.session_token,
        expiration,
        clock,
    ))
}

/// Why a part of the credentials cannot be one; never what it is. Programs put these into header fields, files and shell
/// variables, where a space or a line break would begin something else.
fn check_part(value: &str, max: usize) -> Result<(), String> {
    let fault = if value.is_empty() {
        "is empty".to_owned()
    } else if value.len() > max {
        format!("has {} bytes, and no more than {max} are believed", value.len())
    } else if !value.is_ascii() {
        "has a character that is not ASCII".to_owned()
    } else if value.bytes().any(|byte| byte.is_ascii_control()) {
        "has a control character".to_owned()
    } else if value.contains(' ') {
        "has a space".to_owned()
    } else {
        return Ok(());
    };
    Err(fault)
}

/// Sorts what AWS said; its documented errors get the step that mends them.
pub(super) fn refusal(alias: &str, status: StatusCode, words: &str) -> Failure {
    let message = format!("AWS answered {} for role alias {alias}: {words}", status.as_u16());
    // AWS's names for it: ThrottlingException, Throttling, ThrottledException, TooManyRequestsException, "Rate exceeded",
    // LimitExceededException, SlowDown, "Too Many Requests".
    let said = words.to_ascii_lowercase();
    let throttled = [
        "throttl",
        "rate exceeded",
        "too many requests",
        "toomanyrequests",
        "limitexceeded",
        "slowdown",
        "slow down",
    ]
    .iter()
    .any(|name| said.contains(name));
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() || throttled {
        return Failure::Throttled(Problem::wait(message));
    }
    if !status.is_client_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Failure::Transient(Problem::wait(message));
    }
    Failure::Refused(Problem::configuration(message).next(next_step(words)))
}

/// Messages as AWS words them (session helper's test notes; aws-iot-core-credential-provider-session-helper, dev_notes).
fn next_step(words: &str) -> &'static str {
    let steps = [
        (
            "Invalid thing name passed",
            "attach the certificate to the thing of this name: aws iot attach-thing-principal",
        ),
        (
            "Access Denied",
            "allow iot:AssumeRoleWithCertificate on this role alias in the certificate's policy",
        ),
        (
            "Role alias does not exist",
            "create the role alias, or correct its name: aws iot list-role-aliases",
        ),
        (
            "Unable to assume the role",
            "let the role trust credentials.iot.amazonaws.com, and check that it exists",
        ),
        (
            "exceeds the MaxSessionDuration",
            "lower the alias's credentialDurationSeconds or raise the role's MaxSessionDuration",
        ),
        (
            "Certificate is invalid on this endpoint",
            "check aws.credentials-endpoint: aws iot describe-endpoint --endpoint-type iot:CredentialProvider",
        ),
    ];
    steps
        .iter()
        .find(|(said, _)| words.contains(said))
        .map_or("look the message up in the AWS account's CloudTrail", |(_, step)| step)
}

/// AWS's message out of a JSON body, else what the body says, shortened; markup from a proxy says nothing. JSON of any other
/// shape is not repeated: it may hold credentials.
pub fn words(body: &[u8], content_type: &str) -> String {
    #[derive(Deserialize)]
    struct Said {
        #[serde(alias = "Message")]
        message: String,
    }
    match serde_json::from_slice::<Said>(body) {
        Ok(said) => quoted(&said.message),
        Err(_) if body.is_empty() => "(no words)".into(),
        Err(_) if body.trim_ascii_start().starts_with(b"{") => "(JSON without a message)".into(),
        Err(_) if content_type.contains("html") => "(a web page)".into(),
        Err(_) => quoted(String::from_utf8_lossy(body)),
    }
}

#[cfg(test)]
mod tests {
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
        // How far this machine's clock is ahead; how far the Date is from AWS's clock, if there is one; for how long AWS gives
        // the set; for how long it is believed to live, if it is used; and the skew that is noted.
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
            // AWS's own words contradict each other: the Date is taken where that is the safe side.
            (0, Some(3700), 3600, None, None),
            (0, Some(-3700), 3600, Some(7297), Some(3697)),
            (0, Some(-week), 3600, Some(3600), None),
            (0, Some(week), 3600, Some(3600), None),
            (0, Some(-50 * 365 * day), 3600, Some(3600), None),
            (0, Some(100 * 365 * day), 3600, Some(3600), None),
            // No Date: only this machine's clock is there to go by.
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
    fn what_aws_said_of_its_time_before_counts_where_an_answer_says_nothing() {
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
            (body("2027-01-15T08:00:59Z"), "live only until"),
            (body("tomorrow"), "its expiration is no time: \"tomorrow\""),
            (
                r#"{"credentials":{"accessKeyId":"ASIA1","secretAccessKey":"s3cr3t"}}"#.into(),
                "no set of credentials",
            ),
            (r#"{"credentials":"s3cr3t"}"#.into(), "no set of credentials"),
            ("<html>".into(), "no set of credentials (line 1, column 1)"),
            (String::new(), "no set of credentials"),
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
    fn no_set_is_believed_to_live_longer_than_aws_gives_one() {
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
}
