//! SendDirectMessage: a message to one connected client, which need not have subscribed.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::answer::{invalid, sent};
use super::call::Call;
use super::message;
use crate::api::failure::Failure;
use crate::front::{DirectMessage, DirectOutcome, limits};
use crate::mqtt::{QoS, reason};
use crate::switches::RefusedDirectMessage;

/// Default and range of `timeout` in seconds (API Reference, SendDirectMessage).
const DEFAULT_TIMEOUT: u64 = 5;
const TIMEOUT_RANGE: std::ops::RangeInclusive<u64> = 1..=15;

pub(super) async fn send(call: &Call, request_id: &str) -> Result<Value, Failure> {
    let client_id = call.resource();
    if client_id.is_empty() || client_id.len() > limits::MAX_CLIENT_ID_BYTES || client_id.starts_with('$') {
        return Err(invalid("The client ID is not valid"));
    }
    let topic = call.query("topic").ok_or_else(|| invalid("topic is missing"))?;
    message::check_topic(topic)?;
    let confirmation = call.flag("confirmation")?;
    let timeout = match confirmation {
        true => call.number("timeout", TIMEOUT_RANGE, DEFAULT_TIMEOUT)?,
        // Ignored, because no confirmation was requested.
        false => DEFAULT_TIMEOUT,
    };
    let (outcome, answer) = oneshot::channel();
    let is_connected = call.cloud.connections.deliver(
        client_id,
        DirectMessage {
            topic: topic.to_owned(),
            payload: message::payload(call)?,
            qos: match confirmation {
                true => QoS::AtLeastOnce,
                false => QoS::AtMostOnce,
            },
            properties: message::properties(call)?,
            outcome: Some(outcome),
        },
    );
    if !is_connected {
        return Err(not_connected());
    }
    let deadline = Instant::now() + Duration::from_secs(timeout);
    match timeout_at(deadline, answer).await {
        Ok(Ok(DirectOutcome::Sent)) => Ok(sent(request_id)),
        Ok(Ok(DirectOutcome::Forbidden)) => Err(Failure::new(
            StatusCode::FORBIDDEN,
            "ForbiddenException",
            "The client is not allowed to receive messages on this topic",
        )),
        Ok(Ok(DirectOutcome::Acknowledged(code))) if code < reason::UNSPECIFIED_ERROR || refusal_confirms(call) => {
            Ok(sent(request_id))
        }
        Ok(_) => {
            // The client has refused the message, or its connection has ended: no confirmation will arrive.
            sleep_until(deadline).await;
            Err(unconfirmed())
        }
        Err(_) => Err(unconfirmed()),
    }
}

fn refusal_confirms(call: &Call) -> bool {
    let setting = call.cloud.switches.get(|switches| switches.refused_direct_message);
    setting == RefusedDirectMessage::Confirmed
}

fn not_connected() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "ResourceNotFoundException",
        "The client is not connected",
    )
}

fn unconfirmed() -> Failure {
    Failure::new(
        StatusCode::GATEWAY_TIMEOUT,
        "GatewayTimeoutException",
        "The delivery confirmation was not received from the client within the specified timeout period",
    )
}
