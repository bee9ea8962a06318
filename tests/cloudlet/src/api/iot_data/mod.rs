//! The AWS IoT data plane (AWS IoT API Reference, "AWS IoT data").

mod answer;
mod call;
mod connection;
mod direct_message;
mod message;
mod publish;
mod shadow;

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use serde_json::Value;

use super::caller::Caller;
use super::failure::Failure;
use super::iot;
use crate::cloud::Cloud;
use crate::events::Event;
use crate::shadow::Operation;
use crate::sigv4::{self, Endpoint};
use call::Call;

pub(super) async fn answer(
    cloud: &Arc<Cloud>,
    head: &Parts,
    body: Bytes,
    request_id: &str,
) -> Result<Response<Full<Bytes>>, Failure> {
    let endpoint = Endpoint {
        service: sigv4::service_of(head).unwrap_or_default(),
        region: Some(cloud.account.read(|account| account.region().to_owned())),
    };
    let key = sigv4::verify(head, &body, &endpoint, &cloud.access_keys, cloud.now()).map_err(iot::unsigned)?;
    let caller = cloud.account.read(|account| Caller::of(&key, account.id()));
    let call = Call::read(cloud, head, body).map_err(|failure| failure.of(Some(caller.access_key_id.clone())))?;
    let (operation, resource) = operation(&call)
        .ok_or_else(|| iot::unknown_operation(&head.method, head.uri.path()))
        .map_err(|failure| failure.of(Some(caller.access_key_id.clone())))?;
    let of_caller = |failure: Failure| failure.of(Some(caller.access_key_id.clone())).in_operation(operation);
    if !caller.is_administrator {
        let message = format!("User: {} is not authorized to perform: iot:{operation}", caller.arn);
        return Err(of_caller(Failure::new(
            StatusCode::FORBIDDEN,
            "ForbiddenException",
            message,
        )));
    }
    let result = carry_out(operation, &call, &resource, request_id)
        .await
        .map_err(of_caller)?;
    cloud.events.push(Event::ApiCalled {
        service: "iotdata",
        operation,
        access_key_id: caller.access_key_id,
        caller: caller.arn,
        resource,
    });
    Ok(iot::success(&result, request_id))
}

/// Returns the operation and the resource of a request.
fn operation(call: &Call) -> Option<(&'static str, String)> {
    Some(match (call.method.as_str(), call.segments().as_slice()) {
        ("GET", ["connections", client_id]) => ("GetConnection", (*client_id).to_owned()),
        ("GET", ["connections", client_id, "subscriptions"]) => ("ListSubscriptions", (*client_id).to_owned()),
        ("POST", ["connections", client_id, "messages"]) => ("SendDirectMessage", (*client_id).to_owned()),
        ("GET", ["things", thing, "shadow"]) => ("GetThingShadow", (*thing).to_owned()),
        ("POST", ["things", thing, "shadow"]) => ("UpdateThingShadow", (*thing).to_owned()),
        ("DELETE", ["things", thing, "shadow"]) => ("DeleteThingShadow", (*thing).to_owned()),
        ("GET", ["api", "things", "shadow", "ListNamedShadowsForThing", thing]) => {
            ("ListNamedShadowsForThing", (*thing).to_owned())
        }
        ("POST", ["topics", topic]) => ("Publish", (*topic).to_owned()),
        _ => return None,
    })
}

async fn carry_out(operation: &str, call: &Call, resource: &str, request_id: &str) -> Result<Value, Failure> {
    match operation {
        "GetConnection" => connection::get(call),
        "ListSubscriptions" => connection::subscriptions(call),
        "SendDirectMessage" => direct_message::send(call, request_id).await,
        "GetThingShadow" => shadow::call(call, Operation::Get),
        "UpdateThingShadow" => shadow::call(call, Operation::Update),
        "DeleteThingShadow" => shadow::call(call, Operation::Delete),
        "ListNamedShadowsForThing" => Ok(shadow::list_names(call, resource)),
        _ => publish::publish(call, request_id),
    }
}
