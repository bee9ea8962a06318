//! The record of a rotation on disk. It is written before each step, so that a power cut between any two leaves a state to go on from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cloud::state_file::StateFile;

/// The rotation under way. There is no record while no job asks for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Record {
    /// The ID of the job.
    pub(super) job: String,
    /// The thing that it is for.
    pub(super) thing: String,
    /// Since when it is carried out, in seconds since 1970.
    pub(super) since: u64,
    pub(super) step: Step,
}

/// A step of a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name", deny_unknown_fields)]
pub(super) enum Step {
    /// The job is being taken on.
    Starting,
    /// The certificate is being asked for.
    Requesting,
    /// The new certificate is being put in place of the previous content of the file.
    Installing { certificate: String, previous: String },
    /// The session is to connect with the new certificate.
    Proving { certificate_id: String, previous: String },
    /// The rotator is to see the new certificate in use.
    Committing { certificate_id: String, previous: String },
    /// The job is being told that it has succeeded.
    Succeeding,
    /// The previous content is being put back, and the session is to connect without the new certificate. `has_ended` says that the job
    /// need not be told.
    Returning {
        certificate_id: String,
        previous: String,
        reason: String,
        has_ended: bool,
    },
    /// The job is being told that it has failed.
    Failing { reason: String },
}

impl Step {
    /// The step's name in the status.
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

/// Names the file of the record.
pub(super) fn record_file(path: PathBuf) -> StateFile<Record> {
    StateFile::new(path, "rotation", "after a restart the job of a rotation fails")
}
