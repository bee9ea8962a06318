//! POST /topics/{topic}: publishes a message. Parameters and header fields have the names of the AWS IoT data plane (API
//! reference, Publish), so that an SDK's own client works with gatepost.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use serde::Serialize;
use tokio::time::timeout;

use super::properties::read_properties;
use super::target::{PLACEHOLDER_THING, Target, parse_qos, resolve};
use crate::local::access::Permission;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response, parse_query, read_body};
use crate::messages::{EXPIRY_RANGE, MAX_PAYLOAD, MAX_PROPERTIES, Message, Outcome, Properties};
use crate::problem::{Problem, Remedy};
use crate::qos::Qos;
use crate::status::SessionPhase;
use crate::topic::{self, THING};

const PARAMETERS: &[&str] = &[
    "qos",
    "retain",
    "contentType",
    "messageExpiry",
    "responseTopic",
    "wait",
    "timeout",
];
/// Default time to wait for AWS's acknowledgement, in seconds.
const DEFAULT_WAIT: u64 = 30;
/// Maximum time to wait for AWS's acknowledgement, in seconds.
const MAX_WAIT: u64 = 300;

/// The parameters of a request, and the properties from its header fields.
#[derive(Debug, PartialEq, Eq)]
struct PublishRequest {
    qos: Qos,
    retain: bool,
    /// The time to wait for AWS's acknowledgement.
    wait: Option<Duration>,
    properties: Properties,
}

/// The response's body. AWS's own is `"message":"OK"`.
#[derive(Serialize)]
struct Published {
    message: &'static str,
    id: Option<i64>,
}

/// Publishes a message. At QoS 1 the response is sent when the message is on the disk.
pub async fn publish(
    context: &ApiContext,
    caller: &Caller,
    segments: &[&str],
    request: Request<Incoming>,
) -> Result<Response, ApiError> {
    check_early(context, caller, segments)?;
    let Target { text: topic, thing } = resolve(context, segments).await?;
    topic::check_publish(&topic).map_err(ApiError::malformed)?;
    if topic::is_reserved(&topic, &thing, context.presence_topic.borrow().as_deref()) {
        return Err(reserved_topic());
    }
    let parameters = PublishRequest::parse(request.uri().query(), request.headers())?;
    context.authorize(caller, Permission::Publish(&topic), &thing)?;
    let payload = read_body(request.into_body(), MAX_PAYLOAD).await?;
    let message = Message {
        topic,
        payload,
        retain: parameters.retain,
        properties: parameters.properties,
    };
    let (size, limit) = (message.packet_size(), context.outbox.packet_limit());
    if size > usize::try_from(limit).unwrap_or(usize::MAX) {
        let message = format!(
            "topic, properties and payload make a packet of {size} bytes, and the broker accepts at most {limit} bytes"
        );
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
    }
    match parameters.qos {
        Qos::AtMostOnce => send_now(context, message).await,
        _ => enqueue(context, caller, message, parameters.wait).await,
    }
}

/// Rejects a topic that AWS would not accept, and a caller that may publish nothing, before anything is waited for: the thing
/// name, the disk or the body.
fn check_early(context: &ApiContext, caller: &Caller, segments: &[&str]) -> Result<(), ApiError> {
    let (text, thing) = (segments.join("/"), context.thing_name.known());
    let assumed_thing = thing.as_deref().unwrap_or(PLACEHOLDER_THING);
    let topic = text.replace(THING, assumed_thing);
    topic::check_publish(&topic).map_err(ApiError::malformed)?;
    // Before the rules, because their hint would name a rule that cannot grant the topic.
    if topic::is_reserved(&topic, assumed_thing, context.presence_topic.borrow().as_deref()) {
        return Err(reserved_topic());
    }
    // While the name is unknown the placeholder stays: a rule may have it as well.
    let text = thing.map_or_else(|| text.clone(), |thing| text.replace(THING, &thing));
    Ok(context.authorize_any(caller, Permission::Publish(&text))?)
}

/// Returns the error for a topic that no rule can grant, so its hint names no rule.
fn reserved_topic() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "reserved_topic",
        "the topic is gatepost's own: it publishes this gateway's presence and health there, and nobody else can",
    )
    .hint("choose a topic that is neither below {thing}/gatepost/ nor mqtt.presence-topic")
}

/// Sends a message at QoS 0, which is not stored.
async fn send_now(context: &ApiContext, message: Message) -> Result<Response, ApiError> {
    let session = context.board.session.borrow().clone();
    if session.phase != SessionPhase::Connected {
        let problem = context.board.obstacle().or(session.problem);
        let problem = problem.unwrap_or_else(|| Problem::wait("the MQTT session is not connected"));
        return Err(ApiError::not_ready(&problem).hint("a message at qos=0 is not kept; at qos=1 it is sent later"));
    }
    let sent = context.outbox.send_qos0(message).await;
    sent.map_err(|problem| match problem.remedy {
        Remedy::Wait => ApiError::not_ready(&problem),
        // AWS has rejected the message, and will reject it again.
        _ => ApiError::from_problem(StatusCode::BAD_GATEWAY, "refused_by_aws", &problem),
    })?;
    Ok(http::json(&Published {
        message: "OK",
        id: None,
    }))
}

/// Stores a message at QoS 1, and waits for AWS's acknowledgement if the caller asks for that.
async fn enqueue(
    context: &ApiContext,
    caller: &Caller,
    message: Message,
    wait: Option<Duration>,
) -> Result<Response, ApiError> {
    let respond = |message, id| http::json(&Published { message, id: Some(id) });
    let account = caller.message_account();
    let Some(wait) = wait else {
        let id = context.outbox.accept(message, account).await?;
        return Ok(respond("OK", id));
    };
    let _permit = context.ack_waiters.acquire(caller.account())?;
    let (id, outcome) = context.outbox.accept_with_outcome(message, account).await?;
    match timeout(wait, outcome).await {
        Ok(Ok(Outcome::Acknowledged)) => Ok(respond("OK", id)),
        Ok(Ok(Outcome::Parked(reason))) => {
            let message = format!("AWS rejected the message: {reason}");
            let hint = format!("gatepost outbox show {id}; once the cause is fixed: gatepost outbox retry {id}");
            Err(ApiError::new(StatusCode::BAD_GATEWAY, "refused_by_aws", message).hint(hint))
        }
        Ok(Ok(Outcome::Dropped(reason))) => Err(ApiError::new(
            StatusCode::GONE,
            "dropped",
            format!("the message was dropped before AWS had it: {reason}"),
        )),
        Ok(Err(_)) | Err(_) => {
            // The message stays in the outbox; only its outcome is not known in time.
            let mut response = respond("Accepted", id);
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        }
    }
}

impl PublishRequest {
    fn parse(query: Option<&str>, headers: &HeaderMap) -> Result<Self, ApiError> {
        // AWS's default for a publish by HTTP is 0. Here the default is 1, so that a message is stored unless the caller opts out.
        let (mut qos, mut retain, mut wait, mut timeout) = (Qos::AtLeastOnce, false, false, DEFAULT_WAIT);
        let mut properties = Properties::default();
        for (name, value) in parse_query(query, PARAMETERS)? {
            match name.as_ref() {
                "qos" => qos = parse_qos(&value)?,
                "retain" => retain = parse_bool("retain", &value)?,
                "contentType" => properties.content_type = Some(value.into_owned()),
                "responseTopic" => {
                    topic::check_publish(&value)
                        .map_err(|reason| ApiError::malformed(format!("responseTopic: {reason}")))?;
                    properties.response_topic = Some(value.into_owned());
                }
                "messageExpiry" => {
                    properties.message_expiry = Some(parse_number("messageExpiry", &value, EXPIRY_RANGE)?)
                }
                "wait" if value == "ack" => wait = true,
                "timeout" => timeout = parse_number("timeout", &value, 1..=MAX_WAIT)?,
                _ => {
                    let message = format!("{name} is \"{}\", which is not allowed", value.escape_debug());
                    return Err(ApiError::malformed(message).hint("the only value of wait is ack"));
                }
            }
        }
        read_properties(headers, &mut properties)?;
        let texts = [&properties.content_type, &properties.response_topic]
            .into_iter()
            .flatten();
        let users = properties
            .user_properties
            .iter()
            .flat_map(|(name, value)| [name, value]);
        if let Some(character) = texts.chain(users).find_map(|text| topic::not_allowed(text)) {
            return Err(ApiError::malformed(format!(
                "a property has the character {character}, for which a broker may close the connection"
            )));
        }
        let size = properties.size();
        if size > MAX_PROPERTIES {
            return Err(ApiError::malformed(format!(
                "the message's properties have {size} bytes, more than {MAX_PROPERTIES}"
            )));
        }
        if wait && qos == Qos::AtMostOnce {
            return Err(ApiError::malformed(
                "wait=ack goes with qos=1: AWS acknowledges nothing at qos=0",
            ));
        }
        Ok(Self {
            qos,
            retain,
            wait: wait.then_some(Duration::from_secs(timeout)),
            properties,
        })
    }
}

fn parse_number<T>(name: &str, text: &str, range: std::ops::RangeInclusive<T>) -> Result<T, ApiError>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let text = text.escape_debug();
        let (start, end) = (range.start(), range.end());
        ApiError::malformed(format!("{name} is \"{text}\", and not a number from {start} to {end}"))
    })
}

fn parse_bool(name: &str, text: &str) -> Result<bool, ApiError> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ApiError::malformed(format!("{name} is neither true nor false"))),
    }
}

#[cfg(test)]
mod tests;
