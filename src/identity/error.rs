//! Why a certificate cannot be used.

use std::path::Path;
use std::time::SystemTime;

use crate::problem::Problem;

/// Why a certificate cannot be used.
#[derive(Clone, Debug)]
pub enum CertificateError {
    /// There is none.
    Missing,
    /// Valid only from then on: time or a set clock mends it.
    NotYetValid(SystemTime, Problem),
    /// Only another file mends it.
    Unusable(Problem),
}

/// A file that only another one mends: what is wrong with it, and the next step.
pub(super) fn unusable(path: &Path, what: &str, next: &str) -> CertificateError {
    CertificateError::Unusable(Problem::configuration(format!("{} {what}", path.display())).next(next))
}
