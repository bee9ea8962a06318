//! The AWS IoT control plane (AWS IoT API Reference, version 2015-05-28): REST with JSON.

mod answer;
mod attachment;
mod ca;
mod call;
mod certificate;
mod endpoint;
mod group;
mod job;
mod page;
mod policy;
mod role_alias;
mod routes;
mod template;
mod thing;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use std::sync::Arc;

pub(super) use answer::{refuse, success, unknown_operation, unsigned};
use call::Call;

use super::caller::Caller;
use super::failure::Failure;
use crate::cloud::Cloud;
use crate::events::Event;
use crate::sigv4::{self, Endpoint};

pub(super) fn answer(
    cloud: &Arc<Cloud>,
    head: &Parts,
    body: &Bytes,
    request_id: &str,
) -> Result<Response<Full<Bytes>>, Failure> {
    let endpoint = Endpoint {
        service: sigv4::service_of(head).unwrap_or_default(),
        region: Some(cloud.account.read(|account| account.region().to_owned())),
    };
    let key = sigv4::verify(head, body, &endpoint, &cloud.access_keys, cloud.now()).map_err(answer::unsigned)?;
    let caller = cloud.account.read(|account| Caller::of(&key, account.id()));
    let of_caller = |failure: Failure| failure.of(Some(caller.access_key_id.clone()));

    let call = Call::read(cloud, head, body).map_err(of_caller)?;
    let route = routes::find(&head.method, &call.segments())
        .ok_or_else(|| of_caller(answer::unknown_operation(&head.method, head.uri.path())))?;
    let of_caller = |failure: Failure| of_caller(failure.in_operation(route.operation));
    if !caller.is_administrator {
        let message = format!(
            "User: {} is not authorized to perform: iot:{}",
            caller.arn, route.operation
        );
        return Err(of_caller(Failure::new(
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            message,
        )));
    }
    let result = (route.carry_out)(&call)
        .map_err(|error| of_caller(cloud.account.read(|account| answer::failure(error, account))))?;
    cloud.events.push(Event::ApiCalled {
        service: "iot",
        operation: route.operation,
        access_key_id: caller.access_key_id,
        caller: caller.arn,
        resource: call.resource().to_owned(),
    });
    Ok(answer::success(&result, request_id))
}
