//! Rotations under way.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::account::CertificateId;

/// The status detail in which the first version keeps its progress.
pub(super) const PROGRESS: &str = "certificateRotationProgress";

/// Rotations under way, by thing.
#[derive(Debug, Default)]
pub(crate) struct Rotations(pub(super) Mutex<BTreeMap<String, Rotation>>);

/// A rotation under way. The second version of the backend keeps this in a shadow.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    pub(super) job: String,
    pub(super) old: CertificateId,
    pub(super) new: CertificateId,
    pub(super) is_committed: bool,
}
