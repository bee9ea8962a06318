//! GetThingShadow, UpdateThingShadow, DeleteThingShadow and ListNamedShadowsForThing.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::answer::invalid;
use super::call::Call;
use crate::api::failure::Failure;
use crate::shadow::{Operation, Rejection, ShadowName, carry_out};

/// Executes an operation on a shadow. Changes are published as if they had been made over MQTT.
pub(super) fn call(call: &Call, operation: Operation) -> Result<Value, Failure> {
    let name = ShadowName::new(call.resource(), call.query("name")).ok_or_else(|| invalid("The name is not valid"))?;
    let done = carry_out(&call.cloud.shadows, &name, operation, &call.body).map_err(|rejection| failure(&rejection))?;
    for (suffix, payload) in &done.news {
        let topic = format!("{}/update/{suffix}", name.topic_prefix());
        call.cloud.publisher.publish_json(topic, payload);
    }
    Ok(done.accepted)
}

pub(super) fn list_names(call: &Call, thing: &str) -> Value {
    json!({ "results": call.cloud.shadows.names(thing), "timestamp": crate::json::unix_seconds() })
}

fn failure(rejection: &Rejection) -> Failure {
    let code = match rejection.code {
        404 => "ResourceNotFoundException",
        409 => "ConflictException",
        413 => "RequestEntityTooLargeException",
        415 => "UnsupportedDocumentEncodingException",
        _ => "InvalidRequestException",
    };
    let status = StatusCode::from_u16(rejection.code).unwrap_or(StatusCode::BAD_REQUEST);
    Failure::new(status, code, rejection.message.clone())
}
