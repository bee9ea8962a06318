//! Makes the running daemon reload its configuration.

use crate::config::Folders;
use crate::socket_client::{self, Answer};

use super::unit;

/// Result of a reload request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The daemon has reloaded the configuration.
    Done,
    /// No daemon is running.
    NotRunning,
    /// The daemon or systemd has refused the request.
    Refused,
}

/// Requests a reload through the socket, which responds when the files are read, or otherwise through systemd.
pub fn reload(folders: &Folders) -> Reloaded {
    match socket_client::post(&socket_client::socket(folders), "/v1/reload") {
        Some(Answer { status: 200, .. }) => Reloaded::Done,
        Some(_) => Reloaded::Refused,
        None if unit::is_active() => match unit::systemctl(&["reload"]) {
            true => Reloaded::Done,
            false => Reloaded::Refused,
        },
        None => Reloaded::NotRunning,
    }
}
