//! Fleet provisioning (developer guide, fleet-provision-api): a device with a claim certificate gets a certificate of its own and registers
//! it by a template. Only JSON is supported; messages on the topics for CBOR are ordinary messages.

mod authority;
mod certificates;
mod expiry;
mod function;
mod hook;
mod operation;
mod ownership;
mod register_thing;
mod rejection;

pub(crate) use authority::DeviceAuthority;
pub use authority::KeysAndCertificate;
pub(crate) use operation::Operation;
pub(crate) use ownership::OwnershipTokens;

use crate::device_services::{Reply, Request};
use crate::events::Event;

/// Carries out a request.
pub(crate) async fn answer(request: Request) -> Vec<Reply> {
    let outcome = match Operation::of(&request.topic) {
        Some(Operation::CreateKeysAndCertificate) => certificates::create_keys(&request),
        Some(Operation::CreateCertificateFromCsr) => certificates::create_from_request(&request).await,
        Some(Operation::RegisterThing(template)) => register_thing::carry_out(&request, &template).await,
        None => return Vec::new(),
    };
    let detail = outcome.as_ref().err().map(ToString::to_string);
    request.cloud.events.push(Event::ServiceAnswered {
        client_id: request.client_id.clone(),
        topic: request.topic.clone(),
        rejection: detail,
    });
    vec![match outcome {
        Ok(payload) => request.accepted(payload),
        Err(rejection) => request.rejected(rejection.payload()),
    }]
}
