//! Publish: sends a message to all subscribers.

use serde_json::Value;

use super::answer::sent;
use super::call::Call;
use super::message;
use crate::api::failure::Failure;
use crate::front::ServiceMessage;
use crate::mqtt::QoS;

pub(super) fn publish(call: &Call, request_id: &str) -> Result<Value, Failure> {
    let topic = call.resource().to_owned();
    message::check_topic(&topic)?;
    let qos = match call.number("qos", 0..=1, 0)? {
        0 => QoS::AtMostOnce,
        _ => QoS::AtLeastOnce,
    };
    call.cloud.publisher.publish(ServiceMessage {
        topic,
        payload: message::payload(call)?,
        qos,
        retain: call.flag("retain")?,
        properties: message::properties(call)?,
    });
    Ok(sent(request_id))
}
