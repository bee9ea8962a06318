//! DescribeEndpoint.

use serde_json::{Value, json};

use super::call::Call;
use crate::Error;
use crate::account::Refusal;

/// The default port of MQTT clients.
const MQTT_PORT: u16 = 8883;
/// The port of https.
const HTTPS_PORT: u16 = 443;

/// `GET /endpoint?endpointType=`. AWS returns only a host name; the port is appended if it is not AWS's own.
pub(super) fn describe(call: &Call<'_>) -> Result<Value, Error> {
    let endpoints = &call.cloud.endpoints;
    let (port, usual, with_port) = match call.query("endpointType") {
        // Without a type AWS returns the endpoint that is not signed by Amazon Trust Services; here there is only one.
        None | Some("iot:Data" | "iot:Data-ATS") => (endpoints.mqtt_port, MQTT_PORT, endpoints.mqtt()),
        Some("iot:CredentialProvider") => (endpoints.credentials_port, HTTPS_PORT, endpoints.credentials()),
        Some(other) => return Err(Refusal::invalid(format!("Invalid endpoint type: {other}")).into()),
    };
    let address = if port == usual { &endpoints.host } else { &with_port };
    Ok(json!({ "endpointAddress": address }))
}
