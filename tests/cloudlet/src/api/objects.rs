//! The objects in S3.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use parking_lot::{Mutex, MutexGuard};

/// The objects, by `BUCKET/KEY`.
#[derive(Default)]
pub(crate) struct Objects(Mutex<BTreeMap<String, Bytes>>);

impl Objects {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock()
    }
}
