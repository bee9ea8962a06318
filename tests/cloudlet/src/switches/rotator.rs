//! Switches of the backend of AWS's certificate rotator.

/// The version of the backend. The first one keeps its progress in the status details of the job, the second one in a shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotatorVersion {
    /// It takes a request only while the details are exactly `certificateRotationProgress: started`.
    StatusDetails,
    /// It sees the end of a job only if the details have `CertificateRotator`.
    Shadow,
}

/// A misbehaviour of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotatorFault {
    /// It rejects every request for a certificate.
    RejectsCreate,
    /// It neither carries a request for a certificate out nor answers it.
    IgnoresCreate,
    /// It issues the certificate, but its answer is lost.
    LosesCreated,
    /// Its answer contains no certificate.
    SendsNonsense,
    /// The certificate is for another key.
    CertifiesAnotherKey,
    /// The certificate has no policy, so that AWS refuses its connections.
    AttachesNoPolicy,
    /// It rejects every commit.
    RejectsCommit,
    /// It neither carries a commit out nor answers it.
    IgnoresCommit,
    /// It commits, but its answer is lost.
    LosesCommitted,
}

/// Switches of the backend.
#[derive(Debug, Clone, Copy, Default)]
pub struct RotatorSwitches {
    /// The version that the account has; `None` if it has none.
    pub version: Option<RotatorVersion>,
    /// The misbehaviour, if any.
    pub fault: Option<RotatorFault>,
}
