//! The parameters that Publish and SendDirectMessage share: topic, payload and MQTT 5 properties.

use bytes::Bytes;
use data_encoding::BASE64;
use hyper::StatusCode;
use serde_json::Value as Json;

use super::answer::invalid;
use super::call::Call;
use crate::api::failure::Failure;
use crate::front::limits;
use crate::mqtt::{Properties, Value, property, topic};

/// Checks a topic in the same way as for PUBLISH over MQTT.
pub(super) fn check_topic(name: &str) -> Result<(), Failure> {
    match !name.is_empty() && !topic::has_wildcard(name) && limits::topic_fits(name) {
        true => Ok(()),
        false => Err(invalid("The topic is not valid")),
    }
}

/// Returns the payload, which must not exceed AWS's limit.
pub(super) fn payload(call: &Call) -> Result<Bytes, Failure> {
    match call.body.len() > limits::MAX_PAYLOAD {
        true => Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLargeException",
            "The payload exceeds the maximum size allowed",
        )),
        false => Ok(call.body.clone()),
    }
}

/// Returns the MQTT 5 properties from query and headers.
pub(super) fn properties(call: &Call) -> Result<Properties, Failure> {
    let mut properties = Properties::default();
    if let Some(content_type) = call.query("contentType") {
        properties.set(property::CONTENT_TYPE, Value::Text(content_type.to_owned()));
    }
    if let Some(response_topic) = call.query("responseTopic") {
        check_topic(response_topic)?;
        properties.set(property::RESPONSE_TOPIC, Value::Text(response_topic.to_owned()));
    }
    if call.query("messageExpiry").is_some() {
        let range = limits::MESSAGE_EXPIRY;
        let expiry = call.number("messageExpiry", (*range.start()).into()..=(*range.end()).into(), 0)?;
        let expiry = u32::try_from(expiry).unwrap_or(u32::MAX);
        properties.set(property::MESSAGE_EXPIRY_INTERVAL, Value::U32(expiry));
    }
    match call.header("x-amz-mqtt5-payload-format-indicator") {
        None => {}
        Some("UNSPECIFIED_BYTES") => properties.set(property::PAYLOAD_FORMAT_INDICATOR, Value::Flag(false)),
        Some("UTF8_DATA") => properties.set(property::PAYLOAD_FORMAT_INDICATOR, Value::Flag(true)),
        Some(_) => return Err(invalid("The payload format indicator is not valid")),
    }
    if let Some(data) = call.header("x-amz-mqtt5-correlation-data") {
        properties.set(property::CORRELATION_DATA, Value::Binary(decode(data)?.into()));
    }
    if let Some(list) = call.header("x-amz-mqtt5-user-properties") {
        let list: Vec<serde_json::Map<String, Json>> =
            serde_json::from_slice(&decode(list)?).map_err(|_| invalid("The user properties are not valid"))?;
        for (name, value) in list.into_iter().flatten() {
            let Json::String(value) = value else {
                return Err(invalid("The value of a user property is not text"));
            };
            properties.add_user_property(name, value);
        }
    }
    Ok(properties)
}

fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    let decoded = BASE64.decode(text.as_bytes());
    decoded.map_err(|_| invalid("A header is not valid base64"))
}
