//! Switches of fleet provisioning.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The subject of a certificate that AWS issues for a signing request. No source says which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IssuedSubject {
    /// The subject in the request.
    #[default]
    OfRequest,
    /// `CN=AWS IoT Certificate`, as for keys that AWS creates.
    Default,
}

/// Switches of fleet provisioning.
#[derive(Debug, Clone)]
pub struct FleetProvisioningSwitches {
    /// The time for which an ownership token can be used.
    pub ownership_token_lifetime: Duration,
    /// The lifetime of the certificates that AWS issues; `None` for AWS's own, which end with 2049.
    pub certificate_lifetime: Option<Duration>,
    /// The subject of the certificates that AWS issues.
    pub issued_subject: IssuedSubject,
    /// Lambda functions by name, each a command that reads the event from its input and prints the result.
    pub functions: BTreeMap<String, PathBuf>,
    /// The function that signs requests in place of AWS's CA (a certificate provider), if any.
    pub certificate_provider: Option<String>,
}

impl Default for FleetProvisioningSwitches {
    fn default() -> Self {
        Self {
            // developer guide, provision-wo-cert
            ownership_token_lifetime: Duration::from_secs(3600),
            certificate_lifetime: None,
            issued_subject: IssuedSubject::default(),
            functions: BTreeMap::new(),
            certificate_provider: None,
        }
    }
}
