//! Status fields of the listeners that are configured.

use std::path::PathBuf;

use serde::Serialize;

use super::details::Details;

impl Details for LoopbackDetails {}
impl Details for LocalMqttDetails {}
impl Details for AcceptingDetails {}

/// Accepting connections has no status fields besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AcceptingDetails {}

/// Status fields of the loopback listener besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoopbackDetails {
    /// Address and port.
    pub listen: String,
    /// The token files that were written.
    pub token_files: Vec<PathBuf>,
    /// Attempts since start to bind the address, or to write the token files.
    pub attempts: u64,
}

/// Status fields of the MQTT listeners besides their phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LocalMqttDetails {
    /// The Unix socket's path, if it is configured.
    pub socket: Option<String>,
    /// Address and port, if they are configured.
    pub listen: Option<String>,
    /// Attempts since start to bind the socket or the address, or to read the secrets of the rules.
    pub attempts: u64,
}
