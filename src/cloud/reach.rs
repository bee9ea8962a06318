//! What it means that an endpoint cannot be reached: the cause dug out of the libraries' errors, and who can mend it.

use std::error::Error as StdError;
use std::io;

use rustls::{CertificateError, Error as TlsError};

use crate::config::Endpoint;
use crate::foreign_text::clean;
use crate::problem::Problem;

/// The problem behind `error`, which came up while `endpoint` was contacted.
pub(super) fn problem(endpoint: &Endpoint, error: &(dyn StdError + 'static)) -> Problem {
    let Some(tls) = tls_error(error) else {
        return Problem::wait(format!("{endpoint} {}", what_happened(error)));
    };
    if let Some(token) = token_problem(tls) {
        return token;
    }
    let message = format!("TLS with {endpoint} failed: {}", clean(tls));
    match tls {
        TlsError::InvalidCertificate(why) => {
            let step = match why {
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => "check this machine's clock: timedatectl".to_owned(),
                CertificateError::UnknownIssuer => {
                    "check aws.root-ca, and that the endpoint is one of data type iot:Data-ATS; a proxy that opens TLS cannot be used"
                        .to_owned()
                }
                _ => format!("check the endpoint's name: `{}` prints yours", endpoint.describe_command()),
            };
            Problem::configuration(message).next(step)
        }
        _ => Problem::wait(message),
    }
}

/// What reqwest knows of how far it came, and the cause below its layers.
fn what_happened(error: &(dyn StdError + 'static)) -> String {
    let how_far = match error.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_timeout() => return "did not answer in time".into(),
        Some(error) if !error.is_connect() => "gave no answer",
        _ => "cannot be reached",
    };
    format!("{how_far}: {}", root_cause(error))
}

/// The innermost cause: the layers around it ("error sending request", "client error (Connect)") tell nobody anything.
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

/// The alert with which the peer ended TLS, if that is what `error` is about.
pub(super) fn alert(error: &(dyn StdError + 'static)) -> Option<String> {
    match tls_error(error)? {
        TlsError::AlertReceived(alert) => Some(format!("TLS alert {alert:?}")),
        _ => None,
    }
}

/// The token's own words, when the handshake failed because the token did not sign.
fn token_problem(error: &TlsError) -> Option<Problem> {
    match error {
        TlsError::Other(other) => other.0.downcast_ref::<Problem>().cloned(),
        _ => None,
    }
}

/// The rustls error somewhere behind `error`. An io::Error hides what it wraps from `source()`.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TlsError> {
    if let Some(found) = error.downcast_ref::<TlsError>() {
        return Some(found);
    }
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped
        .and_then(|inner| tls_error(inner as &'a (dyn StdError + 'static)))
        .or_else(|| error.source().and_then(tls_error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::problem::Remedy;

    #[test]
    fn the_cause_is_found_however_deep_it_lies() {
        let endpoint = Endpoint::parse("a1.iot.example", 8883).unwrap();
        let wrap = |error: TlsError| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
        let issuer = wrap(TlsError::InvalidCertificate(CertificateError::UnknownIssuer));
        let found = problem(&endpoint, &issuer);
        assert_eq!(found.remedy, Remedy::Configuration);
        assert!(found.next_step.unwrap().contains("aws.root-ca"));
        let token = wrap(TlsError::Other(rustls::OtherError(Arc::new(Problem::factory(
            "the PIN is locked",
        )))));
        assert_eq!(problem(&endpoint, &token), Problem::factory("the PIN is locked"));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(
            problem(&endpoint, &refused).message,
            "a1.iot.example:8883 cannot be reached: connection refused"
        );
    }
}
