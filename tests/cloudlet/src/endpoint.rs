//! The endpoints that devices connect to.

use std::fmt;

use serde::Serialize;

/// An endpoint that clients connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// MQTT over TLS.
    Mqtt,
    /// The credentials provider.
    Credentials,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mqtt => "mqtt",
            Self::Credentials => "credentials",
        })
    }
}
