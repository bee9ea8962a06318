//! The Device Shadow service (developer guide, iot-device-shadows): documents that devices and others read and change over MQTT and the
//! data plane's API.
//!
//! `document` is the content of a shadow and its changes; `merge` and `delta` compute them, and `request` checks requests.

mod delta;
mod document;
mod done;
mod merge;
mod rejection;
mod request;
mod store;
#[cfg(test)]
mod tests;
mod topic;

use serde_json::Value;

use crate::device_services::{Reply, Request};
pub(crate) use done::Done;
pub(crate) use rejection::Rejection;
pub(crate) use store::{ShadowName, Shadows};
pub(crate) use topic::{Operation, operation};

/// Answers a message on a topic of the service. All subscribers get the answers, so they go through the broker.
pub(crate) async fn answer(request: Request) -> Vec<Reply> {
    if let Some((name, operation)) = operation(&request.topic) {
        let publish = |suffix: &str, payload: &Value| {
            request
                .cloud
                .publisher
                .publish_json(format!("{}/{suffix}", request.topic), payload);
        };
        match carry_out(&request.cloud.shadows, &name, operation, &request.payload) {
            Ok(done) => {
                publish("accepted", &done.accepted);
                for (suffix, payload) in &done.news {
                    publish(suffix, payload);
                }
            }
            Err(rejection) => publish("rejected", &rejection.payload()),
        }
    }
    Vec::new()
}

/// Carries out an operation.
pub(crate) fn carry_out(
    shadows: &Shadows,
    name: &ShadowName,
    operation: Operation,
    payload: &[u8],
) -> Result<Done, Rejection> {
    let now = crate::json::unix_seconds();
    match operation {
        Operation::Get => request::read(payload).and_then(|request| shadows.get(name, &request, now)),
        Operation::Update => request::read(payload).and_then(|request| shadows.update(name, &request, now)),
        Operation::Delete => request::read(payload).and_then(|request| shadows.delete(name, &request, now)),
    }
}
