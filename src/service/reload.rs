//! Has the running daemon read its configuration again.

use crate::config::Folders;
use crate::socket_client::{self, Answer};

use super::unit;

/// Result of a reload request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The daemon has read the files.
    Done,
    /// There is no daemon that could.
    NotRunning,
    /// It does not do it for this caller.
    Refused,
}

/// Asks the daemon at its socket, which answers when the files are read; or else systemd.
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
