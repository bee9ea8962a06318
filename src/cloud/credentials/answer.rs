//! Interprets answers of the credentials provider: a set of credentials, or a failure and who can resolve it.

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use serde::Deserialize;

use super::date;
use crate::clock::{Clock, rfc3339};
use crate::credentials::{Credentials, LONGEST_LIFETIME, USABLE_MARGIN};
use crate::problem::{Problem, quoted};
use crate::secret::{ExposeSecret, SecretString};

/// Maximum length of an access key ID (IAM API reference, AccessKey).
const MAX_ACCESS_KEY_ID: usize = 128;
/// Maximum length of a secret access key. AWS documents no limit; keys have 40 characters.
const MAX_SECRET_ACCESS_KEY: usize = 256;
/// Maximum length of a session token. AWS documents no limit, but a signed request carries it in a header field, and AWS accepts
/// 8 KiB of those.
const MAX_SESSION_TOKEN: usize = 8 * 1024;

/// Reason why there are no new credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The network, the name service or TLS: AWS has not answered.
    Unreachable(Problem),
    /// AWS has no capacity at the moment: 429, 5xx or ThrottlingException.
    Throttled(Problem),
    /// The answer is unusable, which should resolve itself.
    Transient(Problem),
    /// AWS refuses: somebody must change the configuration in AWS.
    Refused(Problem),
}

impl Failure {
    /// Returns the problem to report.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Unreachable(problem)
            | Self::Throttled(problem)
            | Self::Transient(problem)
            | Self::Refused(problem) => problem,
        }
    }

    /// Converts the failure to the problem to report.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Unreachable(problem)
            | Self::Throttled(problem)
            | Self::Transient(problem)
            | Self::Refused(problem) => problem,
        }
    }

    /// Returns the kind of the failure, to compare it with others.
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

/// Time of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrival {
    /// Date header field of the answer, if it is valid.
    pub date: Option<SystemTime>,
    /// Boottime clock just before the request.
    pub asked: Duration,
}

/// Parses the set of credentials in the body of an answer that has just arrived. AWS's time, from the Date of the answer, is recorded
/// in the clock.
///
/// Only `expiration` determines the lifetime: the duration of the role alias is not in the answer and may have changed. The remaining
/// lifetime is measured with AWS's time, because this machine's clock may be wrong.
///
/// # Errors
/// With the reason why the answer contains no usable credentials.
pub fn parse(body: &[u8], arrival: Arrival, clock: &dyn Clock) -> Result<Credentials, String> {
    // Messages of serde_json may quote a value, which may be a secret, so only the position is reported.
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        format!(
            "its body is not a set of credentials (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let set = answer.credentials;
    let expiration = humantime::parse_rfc3339(&set.expiration)
        .map_err(|_| format!("its expiration is not a time: {:?}", quoted(&set.expiration)))?;
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
            _ => format!("the credentials are valid only until {end} and it is {now} by {whose}"),
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
    // A set that claims a longer lifetime is used, but replaced as if it had the longest possible one: a forged or garbled
    // answer must not stay for ever, and if this machine's clock is hours slow and AWS's time is unknown, programs still get
    // credentials.
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

/// Checks a part of the credentials. The error never contains the value. Programs put these into header fields, files and shell
/// variables, where a space or a line break would be harmful.
fn check_part(value: &str, max: usize) -> Result<(), String> {
    let fault = if value.is_empty() {
        "is empty".to_owned()
    } else if value.len() > max {
        format!("has {} bytes, and at most {max} are accepted", value.len())
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

/// Classifies an error answer. AWS's documented errors get the step that resolves them.
pub(super) fn refusal(alias: &str, status: StatusCode, words: &str) -> Failure {
    let message = format!("AWS answered {} for role alias {alias}: {words}", status.as_u16());
    // AWS's names for throttling: ThrottlingException, Throttling, ThrottledException, TooManyRequestsException, "Rate exceeded",
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

/// Returns the step that resolves an error, by AWS's message (aws-iot-core-credential-provider-session-helper, dev_notes).
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

/// Returns AWS's message from a JSON body, or another body in short. HTML from a proxy is not repeated, and neither is other JSON,
/// which may contain credentials.
pub fn words(body: &[u8], content_type: &str) -> String {
    #[derive(Deserialize)]
    struct ErrorBody {
        #[serde(alias = "Message")]
        message: String,
    }
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(body) => quoted(&body.message),
        Err(_) if body.is_empty() => "(no words)".into(),
        Err(_) if body.trim_ascii_start().starts_with(b"{") => "(JSON without a message)".into(),
        Err(_) if content_type.contains("html") => "(a web page)".into(),
        Err(_) => quoted(String::from_utf8_lossy(body)),
    }
}

#[cfg(test)]
mod tests;
