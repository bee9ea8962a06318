//! Tests of the parameters and header fields.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::properties::parse_user_properties;
use super::*;

fn parse(query: &str, headers: &[(&'static str, &str)]) -> Result<PublishRequest, ApiError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    PublishRequest::parse(Some(query), &map)
}

#[test]
fn parameters_are_read_as_aws_names_them() {
    let user = STANDARD.encode(r#"[{"a":"1"},{"a":"2","b":"3"}]"#);
    let headers = [
        ("x-amz-mqtt5-user-properties", user.as_str()),
        ("x-amz-mqtt5-correlation-data", "AAEC"),
        ("x-amz-mqtt5-payload-format-indicator", "UTF8_DATA"),
    ];
    let request = parse(
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
    let expected = PublishRequest {
        qos: Qos::AtLeastOnce,
        retain: true,
        wait,
        properties,
    };
    assert_eq!(request, expected);
    assert_eq!(
        parse_user_properties(br#""[{\"a\":\"1\"}]""#),
        Some(vec![pair("a", "1")])
    );
}

#[test]
fn invalid_parameters_are_rejected() {
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
        assert!(parse(query, &[]).is_err(), "{query}");
    }
    for header in [
        ("x-amz-mqtt5-user-properties", "[]"),
        ("x-amz-mqtt5-user-properties", "eyJhIjoxfQ=="),
        ("x-amz-mqtt5-correlation-data", "%"),
        ("x-amz-mqtt5-payload-format-indicator", "1"),
        ("x-amz-mqtt5-user-properties", "W3siYSI6Ilx1MDAwMSJ9XQ=="),
        ("x-amz-mqtt5-user-property", "eyJhIjoxfQ=="),
    ] {
        assert!(parse("", &[header]).is_err(), "{header:?}");
    }
    let long = STANDARD.encode(vec![b'x'; MAX_PROPERTIES + 1]);
    assert!(parse("", &[("x-amz-mqtt5-correlation-data", &long)]).is_err());
}
