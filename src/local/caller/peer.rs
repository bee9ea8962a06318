//! Identifies the process at the other end of a Unix socket: SO_PEERCRED, and its control group.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::UnixStream;

use super::unit;

/// A process as the kernel recorded it when it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user.
    pub uid: u32,
    /// The user whose account it uses: another user if that one can take this user ID.
    pub account: u32,
    /// Its effective primary group.
    pub gid: u32,
    /// Its process ID, for messages only: it may have been reused since.
    pub pid: Option<i32>,
    /// The systemd unit that it runs in; `None` if that is not certain or was not looked up.
    pub unit: Option<Arc<str>>,
}

impl Peer {
    /// Creates a peer with its own account, whose unit is not known.
    pub fn new(uid: u32, gid: u32, pid: Option<i32>) -> Self {
        Self {
            uid,
            account: uid,
            gid,
            pid,
            unit: None,
        }
    }

    /// Asks the kernel for user, group and process. The unit is not looked up, because that reads a file.
    ///
    /// # Errors
    /// If the kernel does not know them.
    pub fn from_stream(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        Ok(Self::new(credentials.uid(), credentials.gid(), credentials.pid()))
    }

    /// Looks up the unit that the peer runs in.
    pub fn look_up_unit(&mut self, stream: &UnixStream) {
        self.unit = self
            .pid
            .and_then(|pid| unit::look_up(stream, pid, self.uid))
            .map(Arc::from);
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}", self.uid)?;
        match (self.pid, &self.unit) {
            (Some(pid), Some(unit)) => write!(f, " (pid {pid}, {unit})"),
            (Some(pid), None) => write!(f, " (pid {pid})"),
            (None, Some(unit)) => write!(f, " ({unit})"),
            (None, None) => Ok(()),
        }
    }
}
