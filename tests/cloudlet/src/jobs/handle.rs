//! The jobs of a running cloudlet, for whoever creates them: the AWS side.

use std::collections::BTreeMap;

use super::notification::Notification;
use super::store::NewJob;
use crate::Error;
use crate::cloud::Cloud;

/// The jobs of a running cloudlet.
pub struct JobsHandle<'a> {
    cloud: &'a Cloud,
}

impl<'a> JobsHandle<'a> {
    pub(crate) fn new(cloud: &'a Cloud) -> Self {
        Self { cloud }
    }

    /// CreateJob: creates a job for these things, with a JSON document.
    pub fn create(&self, id: &str, document: &str, things: &[&str]) -> Result<(), Error> {
        let job = NewJob {
            id: id.to_owned(),
            document: serde_json::from_str(document).unwrap_or_else(|_| document.into()),
            things: things.iter().map(|thing| (*thing).to_owned()).collect(),
            timeout_minutes: None,
        };
        create(self.cloud, job)
    }

    /// CancelJob; `force` also cancels executions that are in progress.
    pub fn cancel(&self, id: &str, force: bool) -> Result<(), Error> {
        cancel(self.cloud, id, force)
    }

    /// Returns the status of a job's latest execution on a thing, such as `IN_PROGRESS`.
    pub fn status(&self, id: &str, thing: &str) -> Option<&'static str> {
        let statuses = self.cloud.jobs.statuses(id)?;
        let of_thing = statuses.into_iter().find(|(name, _)| name == thing);
        of_thing.map(|(_, status)| status.name())
    }

    /// Returns the status details of a job's latest execution on a thing.
    pub fn status_details(&self, id: &str, thing: &str) -> BTreeMap<String, String> {
        let known = self.cloud.jobs.status(thing, id);
        known.map(|(_, details)| details).unwrap_or_default()
    }
}

/// CreateJob. Notifies its things.
pub(crate) fn create(cloud: &Cloud, job: NewJob) -> Result<(), Error> {
    publish_all(cloud, cloud.jobs.create(job)?);
    Ok(())
}

/// CancelJob. Notifies its things.
pub(crate) fn cancel(cloud: &Cloud, job: &str, force: bool) -> Result<(), Error> {
    publish_all(cloud, cloud.jobs.cancel(job, force)?);
    Ok(())
}

/// Publishes notifications to all subscribers.
pub(super) fn publish_all(cloud: &Cloud, notifications: Vec<Notification>) {
    for notification in notifications {
        cloud.publisher.publish_json(notification.topic, &notification.payload);
    }
}
