//! The actions of a rotation, which its task carries out.

/// An action for the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Publish a message.
    Publish { topic: String, payload: String },
    /// Ask the rotator for a certificate for this job.
    Request { job: String },
    /// Install this certificate (PEM).
    Install { certificate: String },
    /// Restore this content of the certificate file.
    Restore { previous: String },
    /// Report the outcome of a job.
    Report { job: String, outcome: Outcome },
}

/// The outcome of a job, or its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The job was accepted.
    Started,
    /// The new certificate is in use, and the job has the state SUCCEEDED.
    Succeeded,
    /// The previous certificate stays in use, for this reason.
    Failed(String),
}
