//! Problems of endpoints that cannot be reached: finds the cause inside the errors of libraries, and who can resolve it.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error as TlsError};

use super::https::RequestError;
use crate::clock::rfc3339;
use crate::config::Endpoint;
use crate::foreign_text::clean;
use crate::problem::Problem;

/// The server behind an endpoint, which decides where its name and its root are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// An endpoint of AWS IoT.
    Aws,
    /// The EST server.
    Est,
    /// AWS's Security Token Service.
    Sts,
}

impl Server {
    /// Returns what to check if the server's certificate leads to no trusted root.
    fn root_step(self) -> &'static str {
        match self {
            Self::Aws => {
                "check aws.root-ca, and that the endpoint is one of data type iot:Data-ATS; a proxy that intercepts TLS cannot be used"
            }
            Self::Est => {
                "check that enrolment.est.server-ca has the root of the EST server; a proxy that intercepts TLS cannot be used"
            }
            Self::Sts => "check aws.sts-endpoint; a proxy that opens TLS cannot be used",
        }
    }

    /// Returns what to check if the server's certificate is for another name, or cannot be used.
    fn name_step(self, endpoint: &Endpoint) -> String {
        match self {
            Self::Aws => format!(
                "check the endpoint's name: `{}` prints yours",
                endpoint.describe_command()
            ),
            Self::Est => "check the host name in enrolment.est.url: the server's certificate must be for it".to_owned(),
            Self::Sts => "check aws.sts-endpoint: sts.REGION.amazonaws.com".to_owned(),
        }
    }
}

/// Returns the problem behind `error`, which occurred while connecting to `endpoint`.
pub(super) fn problem(server: Server, endpoint: &Endpoint, error: &(dyn StdError + 'static)) -> Problem {
    if let Some(problem) = find::<Problem>(error) {
        return problem.clone();
    }
    let Some(tls) = find::<TlsError>(error) else {
        return Problem::wait(format!("{endpoint} {}", describe_failure(error)));
    };
    if let Some(token) = token_problem(tls) {
        return token;
    }
    if let TlsError::InvalidCertificate(why) = tls
        && let Some(what) = validity(why)
    {
        return Problem::configuration(format!("TLS with {endpoint} failed: {what}")).next(
            "check this machine's clock: timedatectl; if it is right, the endpoint's certificate is not: check the endpoint's name, \
             and that no proxy intercepts TLS",
        );
    }
    let message = format!("TLS with {endpoint} failed: {}", clean(tls));
    match tls {
        TlsError::InvalidCertificate(why) => {
            let step = match why {
                CertificateError::UnknownIssuer => server.root_step().to_owned(),
                _ => server.name_step(endpoint),
            };
            Problem::configuration(message).next(step)
        }
        TlsError::InvalidMessage(_) => {
            let message = format!("{endpoint} answers with something other than TLS");
            Problem::wait(message).next("find out who answers there: a sign-in page of the network, or a proxy")
        }
        _ => Problem::wait(message),
    }
}

/// Describes an endpoint certificate that is expired or not valid yet. AWS's certificates are valid, so this machine's clock is
/// suspected first.
fn validity(why: &CertificateError) -> Option<String> {
    let (verb, limit, now) = match why {
        CertificateError::NotValidYetContext { time, not_before } => ("is valid only from", *not_before, *time),
        CertificateError::ExpiredContext { time, not_after } => ("expired on", *not_after, *time),
        CertificateError::NotValidYet => {
            return Some("its certificate is not valid yet by this machine's clock, which is probably behind".into());
        }
        CertificateError::Expired => {
            return Some("its certificate has expired by this machine's clock, which is probably ahead".into());
        }
        _ => return None,
    };
    let direction = if now < limit { "behind" } else { "ahead" };
    Some(format!(
        "its certificate {verb} {}, and this machine's clock, which is probably {direction}, shows {}",
        shown(limit),
        shown(now)
    ))
}

/// Formats a time from a certificate error.
fn shown(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    // RFC 3339 ends with the year 9999.
    let latest = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    rfc3339(time.unwrap_or(latest).min(latest))
}

/// Describes how far a request came, and the cause of its failure.
fn describe_failure(error: &(dyn StdError + 'static)) -> String {
    let how_far = match error.downcast_ref::<RequestError>() {
        Some(RequestError::TimedOut) => return "did not answer in time".into(),
        Some(error) if !error.is_unsent() => "gave no answer",
        _ => "cannot be reached",
    };
    format!("{how_far}: {}", root_cause(error))
}

/// Returns the innermost cause. The errors around it ("error sending request", "client error (Connect)") say nothing useful.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => "the connection was closed".into(),
        _ => clean(cause),
    }
}

/// Returns the TLS alert with which the peer closed the connection, if `error` is about one.
pub(super) fn alert(error: &(dyn StdError + 'static)) -> Option<String> {
    alert_description(error).map(|alert| format!("TLS alert {alert:?}"))
}

/// Returns the alert with which the peer closed the connection, if `error` is about one.
pub(super) fn alert_description(error: &(dyn StdError + 'static)) -> Option<rustls::AlertDescription> {
    match find::<TlsError>(error)? {
        TlsError::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// Returns the token's problem, if the handshake failed because the token did not sign.
fn token_problem(error: &TlsError) -> Option<Problem> {
    match error {
        TlsError::Other(other) => other.0.downcast_ref::<Problem>().cloned(),
        _ => None,
    }
}

/// Finds an error of this type inside `error`. `source()` does not return an error that an `io::Error` wraps.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    if let Some(found) = error.downcast_ref::<T>() {
        return Some(found);
    }
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped
        .and_then(|inner| find(inner as &'a (dyn StdError + 'static)))
        .or_else(|| error.source().and_then(find))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::problem::Remedy;

    #[test]
    fn the_cause_is_found_at_any_depth() {
        let endpoint = Endpoint::parse("a1.iot.example", 8883).unwrap();
        let wrap = |error: TlsError| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
        let issuer = wrap(TlsError::InvalidCertificate(CertificateError::UnknownIssuer));
        let found = problem(Server::Aws, &endpoint, &issuer);
        assert_eq!(found.remedy, Remedy::Configuration);
        assert!(found.next_step.unwrap().contains("aws.root-ca"));
        let token = wrap(TlsError::Other(rustls::OtherError(Arc::new(Problem::factory(
            "the PIN is locked",
        )))));
        assert_eq!(
            problem(Server::Aws, &endpoint, &token),
            Problem::factory("the PIN is locked")
        );
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(
            problem(Server::Aws, &endpoint, &refused).message,
            "a1.iot.example:8883 cannot be reached: connection refused"
        );
    }

    #[test]
    fn the_next_step_names_the_key_of_the_server_that_was_asked() {
        let endpoint = Endpoint::parse("a1.iot.example", 8883).unwrap();
        for (server, why, key) in [
            (Server::Aws, CertificateError::UnknownIssuer, "aws.root-ca"),
            (
                Server::Aws,
                CertificateError::NotValidForName,
                "aws iot describe-endpoint",
            ),
            (Server::Aws, CertificateError::BadEncoding, "aws iot describe-endpoint"),
            (Server::Est, CertificateError::UnknownIssuer, "enrolment.est.server-ca"),
            (Server::Est, CertificateError::NotValidForName, "enrolment.est.url"),
            (Server::Est, CertificateError::BadEncoding, "enrolment.est.url"),
        ] {
            let step = problem(server, &endpoint, &TlsError::InvalidCertificate(why.clone())).next_step;
            let step = step.unwrap();
            assert!(step.contains(key), "{server:?}, {why:?}: {step}");
            assert_eq!(
                server == Server::Est,
                !step.contains("aws"),
                "{server:?}, {why:?}: {step}"
            );
        }
    }

    #[test]
    fn promise_14_the_clock_is_suspected_where_a_certificates_times_do_not_fit() {
        let endpoint = Endpoint::parse("a1.iot.example", 8883).unwrap();
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (now, hour) = (1_800_000_000, 3600);
        let not_yet = |time, not_before| CertificateError::NotValidYetContext {
            time: at(time),
            not_before: at(not_before),
        };
        let expired = |time, not_after| CertificateError::ExpiredContext {
            time: at(time),
            not_after: at(not_after),
        };
        for (why, words) in [
            (CertificateError::NotValidYet, "probably behind"),
            (CertificateError::Expired, "probably ahead"),
            (
                not_yet(now, now + hour),
                "is valid only from 2027-01-15T09:00:00Z, and this machine's clock, which is probably behind, shows 2027-01-15T08:00:00Z",
            ),
            (not_yet(60, now), "probably behind, shows 1970-01-01T00:01:00Z"),
            (not_yet(0, u64::MAX), "from 9999-12-31T23:59:59Z"),
            (
                expired(now, now - hour),
                "expired on 2027-01-15T07:00:00Z, and this machine's clock, which is probably ahead, shows 2027-01-15T08:00:00Z",
            ),
            (expired(u64::MAX, now), "shows 9999-12-31T23:59:59Z"),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, TlsError::InvalidCertificate(why));
            let found = problem(Server::Aws, &endpoint, &error);
            assert!(found.message.contains(words), "{}", found.message);
            assert!(found.next_step.unwrap().contains("timedatectl"), "{words}");
        }
        let name = TlsError::InvalidCertificate(CertificateError::NotValidForName);
        let found = problem(
            Server::Aws,
            &endpoint,
            &io::Error::new(io::ErrorKind::InvalidData, name),
        );
        assert!(!found.next_step.unwrap().contains("timedatectl"));
    }
}
