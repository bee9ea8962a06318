//! Jobs, for tests that hold the handle of the cloudlet.

use std::collections::BTreeMap;

use crate::jobs::{self, NewJob};
use crate::{Cloudlet, Error};

impl Cloudlet {
    /// Creates a job for these things, with a JSON document.
    pub fn create_job(&self, id: &str, document: &str, things: &[&str]) -> Result<(), Error> {
        jobs::create(
            &self.cloud,
            NewJob {
                id: id.to_owned(),
                document: serde_json::from_str(document).unwrap_or_else(|_| document.into()),
                things: things.iter().map(|thing| (*thing).to_owned()).collect(),
                timeout_minutes: None,
            },
        )
    }

    /// CancelJob; `force` also cancels what is in progress.
    pub fn cancel_job(&self, id: &str, force: bool) -> Result<(), Error> {
        jobs::cancel(&self.cloud, id, force)
    }

    /// The status details of a job's latest execution on a thing.
    pub fn job_details(&self, id: &str, thing: &str) -> BTreeMap<String, String> {
        let known = self.cloud.jobs.status(thing, id);
        known.map(|(_, details)| details).unwrap_or_default()
    }

    /// Returns the status of a job's latest execution on a thing, such as `IN_PROGRESS`.
    pub fn job_status(&self, id: &str, thing: &str) -> Option<&'static str> {
        let statuses = self.cloud.jobs.statuses(id)?;
        let of_thing = statuses.into_iter().find(|(name, _)| name == thing);
        of_thing.map(|(_, status)| status.name())
    }
}
