//! POST /topics/{topic}: the names of parameters and header fields are those of the AWS IoT data plane (API reference,
//! Publish), so that an SDK's own client can speak to gatepost.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use super::super::super::access::Permission;
use super::super::super::answer::{self, Answer, ApiError};
use super::super::super::body;
use super::super::super::caller::Caller;
use super::super::super::parameters::parameters;
use super::super::super::view::ApiContext;
use super::{allowed, meant, quality, truth};
use crate::messages::{EXPIRY_RANGE, MAX_PAYLOAD, MAX_PROPERTIES, Message, Outcome, Properties};
use crate::problem::Remedy;
use crate::qos::Qos;
use crate::status::SessionPhase;
use crate::topic;

const PARAMETERS: &[&str] = &[
    "qos",
    "retain",
    "contentType",
    "messageExpiry",
    "responseTopic",
    "wait",
    "timeout",
];
/// How long somebody waits for AWS's acknowledgement who does not say.
const WAIT: u64 = 30;
/// The longest such wait in seconds.
const LONGEST_WAIT: u64 = 300;

/// What is asked for besides the message itself.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    qos: Qos,
    retain: bool,
    /// For AWS's acknowledgement.
    wait: Option<Duration>,
    properties: Properties,
}

/// The answer; AWS says `"message":"OK"`.
#[derive(Serialize)]
struct Published {
    message: &'static str,
    id: Option<i64>,
}

/// Publishes: at quality of service 1 the answer is given when the message is on the disk.
pub async fn post(
    shared: &ApiContext,
    caller: &Caller,
    segments: &[&str],
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let (topic, thing) = meant(shared, segments).await?;
    topic::check_publish(&topic).map_err(ApiError::malformed)?;
    if topic::is_reserved(&topic, &thing, shared.presence_topic.borrow().as_deref()) {
        return Err(reserved());
    }
    let wanted = Wanted::read(request.uri().query(), request.headers())?;
    allowed(shared, caller, Permission::Publish(&topic), &thing)?;
    let payload = body::read(request.into_body(), MAX_PAYLOAD).await?;
    let message = Message {
        topic,
        payload,
        retain: wanted.retain,
        properties: wanted.properties,
    };
    let (size, most) = (message.packet_size(), shared.outbox.packet_limit());
    if size > usize::try_from(most).unwrap_or(usize::MAX) {
        let message = format!(
            "topic, properties and payload make a packet of {size} bytes, and the broker takes packets of at most {most} bytes"
        );
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
    }
    match wanted.qos {
        Qos::AtMostOnce => send(shared, message).await,
        _ => keep(shared, caller, message, wanted.wait).await,
    }
}

/// No rule can give these topics, root's neither, so the hint names no rule.
pub(super) fn reserved() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "reserved_topic",
        "the topic is gatepost's own: it publishes this gateway's presence and health there, and nobody else can",
    )
    .hint("choose a topic that is neither below {thing}/gatepost/ nor mqtt.presence-topic")
}

async fn send(shared: &ApiContext, message: Message) -> Result<Answer, ApiError> {
    let session = shared.board.session.borrow().clone();
    if session.phase != SessionPhase::Connected {
        let why = shared.board.obstacle().or(session.problem);
        let why = why.unwrap_or_else(|| crate::problem::Problem::wait("the MQTT session is not connected"));
        return Err(ApiError::not_ready(&why).hint("a message at qos=0 is not kept; at qos=1 it is sent later"));
    }
    let sent = shared.outbox.send_qos0(message).await;
    sent.map_err(|why| match why.remedy {
        Remedy::Wait => ApiError::not_ready(&why),
        // Nothing but a change mends it, and AWS has said so.
        _ => ApiError::of(StatusCode::BAD_GATEWAY, "refused_by_aws", &why),
    })?;
    answer::json(&Published {
        message: "OK",
        id: None,
    })
}

async fn keep(
    shared: &ApiContext,
    caller: &Caller,
    message: Message,
    wait: Option<Duration>,
) -> Result<Answer, ApiError> {
    let published = |message, id| Published { message, id: Some(id) };
    let account = caller.message_account();
    let Some(wait) = wait else {
        let id = shared.outbox.accept(message, account).await?;
        return answer::json(&published("OK", id));
    };
    let _place = shared.waiting.enter(caller.account())?;
    let (id, fate) = shared.outbox.accept_with_outcome(message, account).await?;
    match timeout(wait, fate).await {
        Ok(Ok(Outcome::Acknowledged)) => answer::json(&published("OK", id)),
        Ok(Ok(Outcome::Parked(reason))) => {
            let message = format!("AWS does not take the message: {reason}");
            let hint = format!("gatepost outbox show {id}; once it is mended: gatepost outbox retry {id}");
            Err(ApiError::new(StatusCode::BAD_GATEWAY, "refused_by_aws", message).hint(hint))
        }
        Ok(Ok(Outcome::Dropped(reason))) => Err(ApiError::new(
            StatusCode::GONE,
            "dropped",
            format!("the message was dropped before AWS had it: {reason}"),
        )),
        Ok(Err(_)) | Err(_) => {
            // It is not lost; only its end could not be waited for.
            let mut answer = answer::json(&published("Accepted", id))?;
            *answer.status_mut() = StatusCode::ACCEPTED;
            Ok(answer)
        }
    }
}

impl Wanted {
    fn read(text: Option<&str>, headers: &HeaderMap) -> Result<Self, ApiError> {
        // AWS's default for the HTTP publish is 0; here a message that is handed over is kept unless somebody says otherwise.
        let (mut qos, mut retain, mut wait, mut timeout) = (Qos::AtLeastOnce, false, false, WAIT);
        let mut properties = Properties::default();
        for (name, value) in parameters(text, PARAMETERS)? {
            match name.as_ref() {
                "qos" => qos = quality(&value)?,
                "retain" => retain = truth("retain", &value)?,
                "contentType" => properties.content_type = Some(value.into_owned()),
                "responseTopic" => {
                    topic::check_publish(&value).map_err(|why| ApiError::malformed(format!("responseTopic: {why}")))?;
                    properties.response_topic = Some(value.into_owned());
                }
                "messageExpiry" => properties.message_expiry = Some(number("messageExpiry", &value, EXPIRY_RANGE)?),
                "wait" if value == "ack" => wait = true,
                "timeout" => timeout = number("timeout", &value, 1..=LONGEST_WAIT)?,
                _ => {
                    let message = format!("{name} is \"{}\", which it cannot be", value.escape_debug());
                    return Err(ApiError::malformed(message).hint("wait=ack is the only wait there is"));
                }
            }
        }
        properties_from(headers, &mut properties)?;
        let texts = [&properties.content_type, &properties.response_topic]
            .into_iter()
            .flatten();
        let users = properties
            .user_properties
            .iter()
            .flat_map(|(name, value)| [name, value]);
        if let Some(character) = texts.chain(users).find_map(|text| topic::not_allowed(text)) {
            return Err(ApiError::malformed(format!(
                "a property has the character {character}, over which a broker may end the connection"
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

fn number<T>(name: &str, text: &str, range: std::ops::RangeInclusive<T>) -> Result<T, ApiError>
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

/// The header fields that say something of a message.
const FIELDS: [&str; 3] = [
    "x-amz-mqtt5-payload-format-indicator",
    "x-amz-mqtt5-correlation-data",
    "x-amz-mqtt5-user-properties",
];

fn properties_from(headers: &HeaderMap, properties: &mut Properties) -> Result<(), ApiError> {
    let mut fields = headers.keys().map(hyper::header::HeaderName::as_str);
    let unknown = fields.find(|name| name.starts_with("x-amz-mqtt5-") && !FIELDS.contains(name));
    if let Some(name) = unknown {
        let hint = format!("there are {}", FIELDS.join(", "));
        return Err(ApiError::malformed(format!("there is no header field {name} here")).hint(hint));
    }
    let value = |name: &str| {
        let value = headers.get(name)?;
        Some(
            value
                .to_str()
                .map_err(|_| ApiError::malformed(format!("{name} is not ASCII"))),
        )
    };
    let decoded = |name: &str| {
        let value = match value(name)? {
            Ok(value) => value,
            Err(refusal) => return Some(Err(refusal)),
        };
        let bytes = STANDARD.decode(value);
        Some(bytes.map_err(|error| ApiError::malformed(format!("{name} is not base64: {error}"))))
    };
    match value("x-amz-mqtt5-payload-format-indicator").transpose()? {
        None => {}
        Some("UNSPECIFIED_BYTES") => properties.payload_format_indicator = Some(0),
        Some("UTF8_DATA") => properties.payload_format_indicator = Some(1),
        Some(other) => {
            return Err(ApiError::malformed(format!(
                "x-amz-mqtt5-payload-format-indicator is \"{}\", and neither UNSPECIFIED_BYTES nor UTF8_DATA",
                other.escape_debug()
            )));
        }
    }
    properties.correlation_data = decoded("x-amz-mqtt5-correlation-data").transpose()?;
    if let Some(json) = decoded("x-amz-mqtt5-user-properties").transpose()? {
        properties.user_properties = user_properties(&json).ok_or_else(|| {
            ApiError::malformed("x-amz-mqtt5-user-properties is not a list of objects whose values are strings")
                .hint("base64 of JSON like [{\"name\":\"value\"},{\"name\":\"another\"}]")
        })?;
    }
    Ok(())
}

/// `[{"a":"1"},{"a":"2"}]`. Botocore writes a Python string as a JSON string, so JSON within JSON is the same.
fn user_properties(json: &[u8]) -> Option<Vec<(String, String)>> {
    let list = match serde_json::from_slice(json).ok()? {
        Value::String(inner) => serde_json::from_str(&inner).ok()?,
        other => other,
    };
    let Value::Array(list) = list else { return None };
    let mut all = Vec::new();
    for item in list {
        let Value::Object(item) = item else { return None };
        for (name, value) in item {
            let Value::String(value) = value else { return None };
            all.push((name, value));
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str, headers: &[(&'static str, &str)]) -> Result<Wanted, ApiError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Wanted::read(Some(query), &map)
    }

    #[test]
    fn parameters_are_read_as_aws_names_them() {
        let user = STANDARD.encode(r#"[{"a":"1"},{"a":"2","b":"3"}]"#);
        let headers = [
            ("x-amz-mqtt5-user-properties", user.as_str()),
            ("x-amz-mqtt5-correlation-data", "AAEC"),
            ("x-amz-mqtt5-payload-format-indicator", "UTF8_DATA"),
        ];
        let wanted = read(
            "qos=1&retain=true&contentType=text%2Fplain&messageExpiry=60&responseTopic=a%2Fb&wait=ack&timeout=5",
            &headers,
        )
        .unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let properties = Properties {
            content_type: Some("text/plain".into()),
            response_topic: Some("a/b".into()),
            correlation_data: Some(vec![0, 1, 2]),
            payload_format_indicator: Some(1),
            message_expiry: Some(60),
            user_properties: vec![pair("a", "1"), pair("a", "2"), pair("b", "3")],
        };
        let wait = Some(Duration::from_secs(5));
        let expected = Wanted {
            qos: Qos::AtLeastOnce,
            retain: true,
            wait,
            properties,
        };
        assert_eq!(wanted, expected);
        assert_eq!(user_properties(br#""[{\"a\":\"1\"}]""#), Some(vec![pair("a", "1")]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for query in [
            "qos=2",
            "retain=yes",
            "messageExpiry=0",
            "messageExpiry=604801",
            "responseTopic=a%2F%23",
            "wait=forever",
            "qos=0&wait=ack",
            "timeout=301",
            "contentType=a%00",
            "contentType=a%0Ab",
            "responseTopic=a%7F",
            "unknown=1",
        ] {
            assert!(read(query, &[]).is_err(), "{query}");
        }
        for header in [
            ("x-amz-mqtt5-user-properties", "[]"),
            ("x-amz-mqtt5-user-properties", "eyJhIjoxfQ=="),
            ("x-amz-mqtt5-correlation-data", "%"),
            ("x-amz-mqtt5-payload-format-indicator", "1"),
            ("x-amz-mqtt5-user-properties", "W3siYSI6Ilx1MDAwMSJ9XQ=="),
            ("x-amz-mqtt5-user-property", "eyJhIjoxfQ=="),
        ] {
            assert!(read("", &[header]).is_err(), "{header:?}");
        }
        let long = STANDARD.encode(vec![b'x'; MAX_PROPERTIES + 1]);
        assert!(read("", &[("x-amz-mqtt5-correlation-data", &long)]).is_err());
    }
}
