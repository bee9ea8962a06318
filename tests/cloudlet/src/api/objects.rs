//! The objects in S3.

use std::collections::BTreeMap;
use std::time::SystemTime;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use parking_lot::{Mutex, MutexGuard};

use crate::md5;

/// The objects, by `BUCKET/KEY`.
#[derive(Default)]
pub(crate) struct Objects(Mutex<BTreeMap<String, Object>>);

/// An object.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) body: Bytes,
    /// The ETag: the MD5 of the body, as for an object that was uploaded in one part.
    pub(super) tag: String,
    pub(super) modified: SystemTime,
    /// The header fields of its upload: the content type, and `x-amz-meta-...`.
    pub(super) headers: HeaderMap,
}

impl Objects {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.0.lock()
    }
}

impl Object {
    /// Creates an object from an upload with these header fields.
    pub(super) fn put(body: Bytes, headers: &HeaderMap, modified: SystemTime) -> Self {
        let is_kept = |name: &str| name == CONTENT_TYPE.as_str() || name.starts_with("x-amz-meta-");
        let kept = headers.iter().filter(|(name, _)| is_kept(name.as_str()));
        Self {
            tag: format!("\"{}\"", md5::hex(&body)),
            body,
            modified,
            headers: kept.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }
}
