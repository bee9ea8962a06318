//! Texts about a method of enrolment.

/// Texts about a method, for problems that do not come from the method itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodTexts {
    /// Names the kind of issuer, with its article.
    pub issuer: &'static str,
    /// The next step where there is no certificate and no credential to ask for the first one.
    pub without_credential: &'static str,
    /// The next step where the certificate has expired and there is no credential to ask for another one.
    pub after_expiry: &'static str,
}
