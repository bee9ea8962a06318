//! The protocol EST (RFC 7030, 8951): operations, and the interpretation of answers, without input and output.

use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;

use super::credential::CredentialKind;
use super::failure::{Failure, FailureKind};
use super::pkcs7;
use crate::foreign_text;
use crate::problem::Problem;

/// Waiting time after a 202 whose Retry-After is missing or invalid.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);
/// Bounds of the waiting time. A Retry-After of zero would cause a loop, and one of months is a mistake.
const WAIT_LIMITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));
/// Maximum number of characters of a server's message that are shown.
const MAX_WORDS: usize = 200;

/// An operation of EST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Gets the CA's certificates.
    CaCertificates,
    /// Gets the attributes that a request should contain.
    RequestAttributes,
    /// Requests the first certificate.
    Enrol,
    /// Requests the next certificate, authenticated by the current one.
    Reenrol,
}

impl Operation {
    /// Returns the last segment of the path.
    pub fn path(self) -> &'static str {
        match self {
            Self::CaCertificates => "cacerts",
            Self::RequestAttributes => "csrattrs",
            Self::Enrol => "simpleenroll",
            Self::Reenrol => "simplereenroll",
        }
    }
}

/// A response of the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The header Content-Type.
    pub content_type: Option<&'a str>,
    /// The header Retry-After.
    pub retry_after: Option<&'a str>,
    /// The server's time, from the header Date.
    pub date: Option<SystemTime>,
    /// The body.
    pub body: &'a [u8],
}

/// The meaning of an answer to a request for certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// These certificates were received, in any order.
    Certificates(Vec<CertificateDer<'static>>),
    /// The request must be repeated unchanged, no sooner than after this time.
    Wait(Duration),
    /// There is no certificate.
    Failed(Failure),
}

/// Interprets the answer to `operation`. `server` is the server's name in messages.
pub fn interpret(operation: Operation, credential: CredentialKind, server: &str, answer: &Answer) -> Reply {
    let status = answer.status;
    let path = operation.path();
    let failed = |kind, problem| {
        Reply::Failed(Failure {
            kind,
            problem,
            retry_after: retry_after(answer).map(bounded),
        })
    };
    match status {
        // Some servers answer 201 to a POST that has created something.
        200 | 201 => match pkcs7::certificates(answer.body) {
            Ok(certificates) => Reply::Certificates(certificates),
            Err(pkcs7::Pkcs7Error::WebPage) => failed(
                FailureKind::Unavailable,
                Problem::wait(format!("{server} answered {path} with a web page instead of a certificate"))
                    .next("check whether a proxy or a captive portal is in the way, and whether enrolment.est.url is right"),
            ),
            Err(error) => failed(
                FailureKind::Unavailable,
                Problem::wait(format!("{server} answered {path} with {status}, but {error}"))
                    .next("look at the EST server; its log may say why"),
            ),
        },
        202 => Reply::Wait(bounded(retry_after(answer).unwrap_or(DEFAULT_WAIT))),
        300..=399 => failed(
            FailureKind::Refused,
            Problem::configuration(format!(
                "{server} redirects {path} ({status}), and a redirection is not followed because the other server is not known to be trusted"
            ))
            .next("set enrolment.est.url to the place that it redirects to, if that is the EST server"),
        ),
        401 => failed(
            FailureKind::Unauthorized,
            Problem::configuration(format!("{server} does not accept {credential} (401{})", words(answer)))
                .next(next_step(credential)),
        ),
        407 => failed(
            FailureKind::Refused,
            Problem::configuration("the proxy on the way to the EST server asks for authentication (407)".to_owned())
                .next("set network.proxy with a user and a password"),
        ),
        408 | 425 | 429 | 500 | 502..=504 | 506..=599 => failed(
            FailureKind::Unavailable,
            Problem::wait(format!("{server} cannot answer {path} now ({status}{})", words(answer))),
        ),
        403 => failed(
            FailureKind::Refused,
            Problem::configuration(format!("{server} refuses {path} by {credential} (403{})", words(answer))).next(
                "look at the rules of the EST server: may this credential ask for this name, and is the request's subject what it expects?",
            ),
        ),
        404 | 405 | 410 | 501 => failed(
            FailureKind::Refused,
            Problem::configuration(format!("{server} has no {path} at this URL ({status}{})", words(answer)))
                .next("correct enrolment.est.url, with the label if the server has labels"),
        ),
        400..=499 | 505 => failed(
            FailureKind::Refused,
            Problem::configuration(format!("{server} refuses the request ({status}{})", words(answer))).next(
                "look at the log of the EST server; `gatepost csr` prints the request",
            ),
        ),
        _ => failed(
            FailureKind::Unavailable,
            Problem::wait(format!("{server} answered {path} with {status}, which means nothing here")),
        ),
    }
}

fn next_step(credential: CredentialKind) -> &'static str {
    match credential {
        CredentialKind::Secret => "issue a new secret for this gateway and replace the old one with it",
        CredentialKind::BootstrapCertificate => {
            "check whether the bootstrap certificate is still valid and the EST server trusts its CA"
        }
        CredentialKind::CurrentCertificate => {
            "check whether the EST server trusts the CA of the certificate in use and has not revoked it"
        }
        CredentialKind::Program => "look at the credential of the enrolment program",
    }
}

/// Returns the server's own message if it is plain text, made safe to show.
fn words(answer: &Answer) -> String {
    let is_text = answer
        .content_type
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/plain"));
    let text = str::from_utf8(answer.body).unwrap_or_default().trim();
    if !is_text || text.is_empty() {
        return String::new();
    }
    let short: String = text.chars().take(MAX_WORDS).collect();
    match foreign_text::may_be_secret(&short) {
        true => String::new(),
        false => format!(": {}", foreign_text::clean(short)),
    }
}

/// Parses Retry-After: seconds, or a date, which is compared with the server's own time (RFC 9110, 10.2.3).
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.retry_after?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number with more digits than fit means for ever; the caller limits it.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let moment = httpdate::parse_http_date(text).ok()?;
    Some(moment.duration_since(answer.date?).unwrap_or_default())
}

fn bounded(wait: Duration) -> Duration {
    wait.clamp(WAIT_LIMITS.0, WAIT_LIMITS.1)
}

#[cfg(test)]
mod tests;
