//! CAs and certificates, as a test that has the handle uses them.

use std::path::Path;

use crate::Cloudlet;

impl Cloudlet {
    /// The path of the root certificate that clients must trust in place of Amazon's.
    pub fn root_ca_path(&self) -> &Path {
        self.authority.path()
    }
}
