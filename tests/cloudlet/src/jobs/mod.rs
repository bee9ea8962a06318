//! AWS IoT Jobs, from the device's side (developer guide, jobs-mqtt-api): a job has an execution for each of its things, and the device
//! moves it through its states.
//!
//! `execution` is an execution and its changes, `queue` the executions of a thing, `store` all jobs; `request` and `rejection` are the
//! documents. `handle` is the AWS side, which creates jobs.

mod execution;
mod handle;
mod notification;
mod queue;
mod rejection;
mod request;
mod store;
#[cfg(test)]
mod tests;
mod topic;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::cloud::Cloud;
use crate::device_services::{Reply, Request};
use crate::front::DirectMessage;
use crate::json::set;
use crate::mqtt::{Properties, QoS};
use crate::rotator;
pub(crate) use execution::Status;
pub use handle::JobsHandle;
use handle::publish_all;
pub(crate) use handle::{cancel, create};
use rejection::Rejection;
use request::JobRequest;
pub(crate) use store::{Jobs, NewJob};
use topic::Operation;
pub(crate) use topic::operation;

/// Answers a message on a topic of the service. The answer goes to the requesting client, whether it has subscribed or not.
pub(crate) async fn answer(request: Request) -> Vec<Reply> {
    let cloud = request.cloud.clone();
    if let Some((thing, operation)) = operation(&request.topic) {
        publish_all(&cloud, cloud.jobs.expire(&thing, Instant::now()));
        rotator::look_for_ended_jobs(&cloud, &thing);
        let (suffix, payload) = match carry_out(&cloud, &thing, &operation, &request.payload) {
            Ok(payload) => ("accepted", payload),
            Err(rejection) => ("rejected", rejection.payload()),
        };
        let answer = DirectMessage {
            topic: format!("{}/{suffix}", request.topic),
            payload: payload.to_string().into(),
            qos: QoS::AtLeastOnce,
            properties: Properties::default(),
            outcome: None,
        };
        // A client that has gone meanwhile gets no answer.
        cloud.connections.deliver(&request.client_id, answer);
    }
    Vec::new()
}

fn carry_out(cloud: &Arc<Cloud>, thing: &str, operation: &Operation, payload: &[u8]) -> Result<Value, Rejection> {
    let request = JobRequest::read(payload)?;
    let minute = cloud.switches.get(|switches| switches.job_minute);
    let token = request.client_token();
    let answered = match operation {
        Operation::GetPending => Ok((cloud.jobs.pending(thing), Vec::new())),
        Operation::StartNext => cloud.jobs.start_next(thing, &request, minute),
        Operation::Describe(job) => cloud
            .jobs
            .describe(thing, job, &request)
            .map(|found| (found, Vec::new())),
        Operation::Update(job) => cloud.jobs.update(thing, job, &request, minute),
        Operation::Unknown => Err(Rejection::new("InvalidTopic", "No operation has this topic")),
    };
    let (mut answer, news) = answered.map_err(|rejection| rejection.with_token(token.clone()))?;
    publish_all(cloud, news);
    rotator::look_for_ended_jobs(cloud, thing);
    watch_timer(cloud, thing);
    set(&mut answer, "timestamp", json!(crate::json::unix_seconds()));
    if let Some(token) = token {
        set(&mut answer, "clientToken", token);
    }
    Ok(answer)
}

/// Expires the timers of a thing's executions when they are due.
fn watch_timer(cloud: &Arc<Cloud>, thing: &str) {
    if let Some(due) = cloud.jobs.next_timer(thing) {
        let (cloud, thing) = (cloud.clone(), thing.to_owned());
        tokio::spawn(async move {
            sleep_until(due).await;
            publish_all(&cloud, cloud.jobs.expire(&thing, Instant::now()));
            rotator::look_for_ended_jobs(&cloud, &thing);
        });
    }
}
