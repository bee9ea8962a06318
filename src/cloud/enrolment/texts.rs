//! The words of an enrolment method (EST, a program, a claim certificate) in the problems that the state machine reports for all methods.

/// The words of one enrolment method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodTexts {
    /// The kind of issuer, with an article, as in `an EST server`.
    pub issuer: &'static str,
    /// The advice to the operator if there is no certificate and no credential to request the first one.
    pub without_credential: &'static str,
    /// The advice to the operator if the certificate has expired and there is no credential to request another one.
    pub after_expiry: &'static str,
}
