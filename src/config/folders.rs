//! The folders that systemd gives to the daemon.

use std::path::PathBuf;

/// The default of STATE_DIRECTORY.
pub const STATE_FOLDER: &str = "/var/lib/gatepost";
/// The default of RUNTIME_DIRECTORY.
pub const RUNTIME_FOLDER: &str = "/run/gatepost";

/// The daemon's own folders, which systemd assigns.
#[derive(Clone, Debug)]
pub struct Folders {
    /// STATE_DIRECTORY: files that must survive a reboot.
    pub state: PathBuf,
    /// RUNTIME_DIRECTORY: the socket.
    pub runtime: PathBuf,
    /// CREDENTIALS_DIRECTORY: secrets from systemd.
    pub credentials: Option<PathBuf>,
}

impl Folders {
    /// Reads the folders that systemd has given to this process, or uses the documented defaults.
    pub fn from_environment() -> Self {
        // systemd joins several folders with colons; ours is the first.
        let first = |name: &str| {
            let value = std::env::var(name).ok()?;
            value
                .split(':')
                .next()
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        Self {
            state: first("STATE_DIRECTORY").unwrap_or_else(|| PathBuf::from(STATE_FOLDER)),
            runtime: first("RUNTIME_DIRECTORY").unwrap_or_else(|| PathBuf::from(RUNTIME_FOLDER)),
            credentials: first("CREDENTIALS_DIRECTORY"),
        }
    }
}
