//! The error of a certificate that cannot be used.

use std::path::Path;
use std::time::SystemTime;

use crate::problem::Problem;

/// The reason why a certificate cannot be used.
#[derive(Clone, Debug)]
pub enum CertificateError {
    /// There is no file.
    Missing,
    /// It becomes valid at this time. Waiting or setting the clock helps.
    NotYetValid(SystemTime, Problem),
    /// It must be replaced by another file.
    Unusable(Problem),
}

/// Creates the error of a file that must be replaced, with its fault and the next step.
pub(super) fn unusable(path: &Path, what: &str, next: &str) -> CertificateError {
    CertificateError::Unusable(Problem::configuration(format!("{} {what}", path.display())).next(next))
}
