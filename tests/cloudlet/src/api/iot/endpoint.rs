//! DescribeEndpoint.

use serde_json::{Value, json};

use super::call::Call;
use crate::Error;
use crate::account::Refusal;

/// The port that MQTT clients take unless told otherwise.
const MQTT_PORT: u16 = 8883;
/// The port of https.
const HTTPS_PORT: u16 = 443;

/// `GET /endpoint?endpointType=`. AWS's answer is a host name alone; where a port is not AWS's own, it is added.
pub(super) fn describe(call: &Call<'_>) -> Result<Value, Error> {
    let endpoints = &call.cloud.endpoints;
    let (port, usual, with_port) = match call.query("endpointType") {
        // Without a type AWS names the endpoint that is not signed by Amazon Trust Services; there is one here.
        None | Some("iot:Data" | "iot:Data-ATS") => (endpoints.mqtt_port, MQTT_PORT, endpoints.mqtt()),
        Some("iot:CredentialProvider") => (endpoints.credentials_port, HTTPS_PORT, endpoints.credentials()),
        Some(other) => return Err(Refusal::invalid(format!("Invalid endpoint type: {other}")).into()),
    };
    let address = if port == usual { &endpoints.host } else { &with_port };
    Ok(json!({ "endpointAddress": address }))
}
