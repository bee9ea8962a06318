//! Texts about a method of enrolment, for messages.

/// Texts about a method, for problems that do not come from the method itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodTexts {
    /// The kind of issuer, with its article.
    pub issuer: &'static str,
    /// The next step if there is no certificate and no credential to request the first one.
    pub without_credential: &'static str,
    /// The next step if the certificate has expired and there is no credential to request another one.
    pub after_expiry: &'static str,
}
