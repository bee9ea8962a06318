//! Fields of a message that several JSON documents have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::messages::Properties;

/// A payload: as text if it is UTF-8, else in base64.
#[derive(Serialize)]
pub struct PayloadFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

impl<'a> PayloadFields<'a> {
    /// Makes the fields of a payload.
    pub fn new(payload: &'a [u8]) -> Self {
        let text = std::str::from_utf8(payload).ok();
        Self {
            payload: text,
            payload_base64: text.is_none().then(|| STANDARD.encode(payload)),
        }
    }
}

/// MQTT 5 properties, under the names in AWS IoT's HTTP publish API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_format_indicator: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_expiry: Option<u32>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    user_properties: &'a [(String, String)],
}

impl<'a> From<&'a Properties> for PropertyFields<'a> {
    fn from(properties: &'a Properties) -> Self {
        Self {
            content_type: properties.content_type.as_deref(),
            response_topic: properties.response_topic.as_deref(),
            correlation_data: properties.correlation_data.as_ref().map(|data| STANDARD.encode(data)),
            payload_format_indicator: properties.payload_format_indicator,
            message_expiry: properties.message_expiry,
            user_properties: &properties.user_properties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_text_or_base64() {
        let cases: [(&[u8], &str); 4] = [
            (b"", r#"{"payload":""}"#),
            (b"a\nb", r#"{"payload":"a\nb"}"#),
            ("gr\u{fc}n".as_bytes(), "{\"payload\":\"gr\u{fc}n\"}"),
            (b"\xff\x00", r#"{"payload_base64":"/wA="}"#),
        ];
        for (payload, json) in cases {
            assert_eq!(serde_json::to_string(&PayloadFields::new(payload)).unwrap(), json);
        }
    }

    #[test]
    fn properties_have_the_names_of_awss_api() {
        let all = Properties {
            content_type: Some("text/plain".into()),
            response_topic: Some("gw-1/answers".into()),
            correlation_data: Some(vec![0, 255]),
            payload_format_indicator: Some(1),
            message_expiry: Some(60),
            user_properties: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
        };
        let json = |properties| serde_json::to_string(&PropertyFields::from(properties)).unwrap();
        assert_eq!(
            json(&all),
            concat!(
                r#"{"contentType":"text/plain","responseTopic":"gw-1/answers","correlationData":"AP8=","#,
                r#""payloadFormatIndicator":1,"messageExpiry":60,"userProperties":[["a","1"],["a","2"]]}"#
            )
        );
        assert_eq!(json(&Properties::default()), "{}");
    }
}
