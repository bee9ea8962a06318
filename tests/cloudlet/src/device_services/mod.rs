//! Services of AWS IoT that devices use over MQTT: a request is a message on a reserved topic, and replies arrive on topics below it.
//!
//! Each service is a module of its own, with a row in [`find`]. Requests do not reach the broker. Replies go only to the connection that
//! made the request, so that devices that enrol at the same time do not see each other's certificates. Shadows are an exception: their
//! answers are published through the broker, to all subscribers.

mod request;

use std::pin::Pin;

pub(crate) use request::{Reply, Request};

use crate::{fleet_provisioning, jobs, shadow};

/// A request that is being answered.
type Answering = Pin<Box<dyn Future<Output = Vec<Reply>> + Send>>;
/// The function that answers a service's requests.
pub(crate) type Service = fn(Request) -> Answering;

/// Returns the service that answers messages on this topic, if there is one.
pub(crate) fn find(topic: &str) -> Option<Service> {
    if !topic.starts_with("$aws/") {
        return None;
    }
    if fleet_provisioning::Operation::of(topic).is_some() {
        return Some(|request| Box::pin(fleet_provisioning::answer(request)));
    }
    if shadow::operation(topic).is_some() {
        return Some(|request| Box::pin(shadow::answer(request)));
    }
    if jobs::operation(topic).is_some() {
        return Some(|request| Box::pin(jobs::answer(request)));
    }
    None
}
