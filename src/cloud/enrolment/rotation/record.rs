//! The record of a rotation on disk. It is written before each step, so that the rotation can continue after a power cut at any time.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cloud::state_file::StateFile;

/// The running rotation. There is no record while no job requests one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Record {
    /// The ID of the job.
    pub(super) job: String,
    /// The thing whose certificate is rotated.
    pub(super) thing: String,
    /// When it began, in seconds since 1970.
    pub(super) since: u64,
    pub(super) step: Step,
}

/// A step of a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name", deny_unknown_fields)]
pub(super) enum Step {
    /// The job is being accepted.
    Starting,
    /// The certificate is being requested.
    Requesting,
    /// The new certificate is being installed. `previous` is the previous content of the file.
    Installing { certificate: String, previous: String },
    /// The session must connect with the new certificate.
    Proving { certificate_id: String, previous: String },
    /// The rotator must see the new certificate in use.
    Committing { certificate_id: String, previous: String },
    /// The success is being reported to the job.
    Succeeding,
    /// The previous content is being restored, and the session must connect without the new certificate. If `has_ended`, the job needs no
    /// report.
    Returning {
        certificate_id: String,
        previous: String,
        reason: String,
        has_ended: bool,
    },
    /// The failure is being reported to the job.
    Failing { reason: String },
}

impl Step {
    /// Returns the step's name in the status.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Requesting => "requesting",
            Self::Installing { .. } => "installing",
            Self::Proving { .. } => "proving",
            Self::Committing { .. } => "committing",
            Self::Succeeding => "succeeding",
            Self::Returning { .. } => "returning",
            Self::Failing { .. } => "failing",
        }
    }
}

/// Returns the file of the record.
pub(super) fn record_file(path: PathBuf) -> StateFile<Record> {
    StateFile::new(path, "rotation", "after a restart the job of a rotation fails")
}
