//! The bootstrap certificate of a method, and what a server's TLS alert says about a client's certificate.

use rustls::AlertDescription;

use super::credential::CredentialKind;
use super::failure::{Failure, FailureKind};
use crate::identity::{BootstrapCertificate, TokenKey};
use crate::problem::Problem;
use crate::token::{NamedKey, Token, TokenError};

/// Loads a certificate whose key is in the token.
///
/// # Errors
/// If there is no such key, or the certificate is not for it.
pub(super) fn load(token: &Token, name: NamedKey) -> Result<BootstrapCertificate, Failure> {
    let found = token.find(name).map_err(|error| match error {
        TokenError::Final(_, problem) => Failure::refused(problem),
        TokenError::Absent(problem) | TokenError::Device(problem) => Failure::new(FailureKind::Unreachable, problem),
    })?;
    BootstrapCertificate::with_key(&TokenKey::new(token.clone(), found)).map_err(Failure::refused)
}

/// Returns the failure behind an alert by which `server` has ended a connection, if it concerns the client's certificate. `issuer`
/// names the CA of the bootstrap certificate, if one was shown.
pub(super) fn judge_alert(
    alert: AlertDescription,
    server: &str,
    credential: CredentialKind,
    issuer: Option<&str>,
) -> Option<Failure> {
    use AlertDescription as Alert;
    let step = match (alert, credential) {
        (Alert::CertificateRequired, CredentialKind::Secret) => {
            "the server requires a client certificate: set enrolment.est.bootstrap-certificate and enrolment.est.bootstrap-key".to_owned()
        }
        (Alert::CertificateExpired, _) => format!("replace {credential} with a new one"),
        (Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnsupportedCertificate, _)
        | (Alert::CertificateRevoked | Alert::AccessDenied | Alert::DecryptError, _)
        | (Alert::CertificateRequired, _) => match issuer {
            Some(issuer) => format!(
                "have the EST server trust the CA that has issued it ({issuer}), or set enrolment.est.bootstrap-certificate to a certificate of a CA that it trusts"
            ),
            None => "check whether the EST server trusts the CA of the certificate in use and has not revoked it".to_owned(),
        },
        _ => return None,
    };
    let message = format!("{server} does not accept {credential} (TLS alert {alert:?})");
    Some(Failure::new(
        FailureKind::Unauthorized,
        Problem::configuration(message).next(step),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_about_the_certificate_name_the_next_step() {
        use AlertDescription as Alert;
        let (bootstrap, current, secret) = (
            CredentialKind::BootstrapCertificate,
            CredentialKind::CurrentCertificate,
            CredentialKind::Secret,
        );
        for (alert, credential, words) in [
            (
                Alert::UnknownCA,
                bootstrap,
                Some("trust the CA that has issued it (CN=Factory)"),
            ),
            (
                Alert::BadCertificate,
                bootstrap,
                Some("enrolment.est.bootstrap-certificate"),
            ),
            (Alert::CertificateUnknown, bootstrap, Some("CN=Factory")),
            (Alert::UnsupportedCertificate, bootstrap, Some("CN=Factory")),
            (Alert::CertificateRevoked, bootstrap, Some("CN=Factory")),
            (Alert::AccessDenied, bootstrap, Some("CN=Factory")),
            (Alert::DecryptError, bootstrap, Some("CN=Factory")),
            (
                Alert::CertificateExpired,
                bootstrap,
                Some("replace the bootstrap certificate with a new one"),
            ),
            (
                Alert::CertificateRequired,
                secret,
                Some("set enrolment.est.bootstrap-certificate"),
            ),
            (Alert::UnknownCA, current, Some("the certificate in use")),
            (Alert::CertificateRevoked, current, Some("the certificate in use")),
            (Alert::HandshakeFailure, bootstrap, None),
            (Alert::InternalError, bootstrap, None),
            (Alert::ProtocolVersion, secret, None),
        ] {
            let issuer = (credential == bootstrap).then_some("CN=Factory");
            let failure = judge_alert(alert, "est.example:443", credential, issuer);
            let shown = failure.map(|failure| {
                assert_eq!(failure.kind, FailureKind::Unauthorized);
                failure.problem.to_string()
            });
            match (shown, words) {
                (Some(shown), Some(words)) => assert!(shown.contains(words), "{alert:?}: {shown}"),
                (shown, words) => assert_eq!(shown.as_deref(), words, "{alert:?}"),
            }
        }
    }
}
