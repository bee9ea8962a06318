//! Reads a message's MQTT 5 properties from header fields.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderMap;
use serde_json::Value;

use crate::local::http::ApiError;
use crate::messages::Properties;

/// The header fields for a message's properties, as the AWS IoT data plane names them.
const FIELDS: [&str; 3] = [
    "x-amz-mqtt5-payload-format-indicator",
    "x-amz-mqtt5-correlation-data",
    "x-amz-mqtt5-user-properties",
];

/// Reads the properties in the header fields.
///
/// # Errors
/// If a field is unknown or malformed.
pub fn read_properties(headers: &HeaderMap, properties: &mut Properties) -> Result<(), ApiError> {
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
            Err(error) => return Some(Err(error)),
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
        properties.user_properties = parse_user_properties(&json).ok_or_else(|| {
            ApiError::malformed("x-amz-mqtt5-user-properties is not a list of objects whose values are strings")
                .hint("base64 of JSON like [{\"name\":\"value\"},{\"name\":\"another\"}]")
        })?;
    }
    Ok(())
}

/// Parses user properties, such as `[{"a":"1"},{"a":"2"}]`. Botocore writes a Python string as a JSON string, so a JSON string with
/// that content is accepted as well.
pub fn parse_user_properties(json: &[u8]) -> Option<Vec<(String, String)>> {
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
