//! Who is at the other end of a connection, by the kernel's word: SO_PEERCRED, and the process's control group.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::UnixStream;

use super::unit;

/// The caller as the kernel recorded it when it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user.
    pub uid: u32,
    /// Its effective primary group.
    pub gid: u32,
    /// Its process, for messages only: a number that may have been reused by now.
    pub pid: Option<i32>,
    /// The systemd unit it ran in when it was let in; `None` where that cannot be said for sure.
    pub unit: Option<Arc<str>>,
}

impl Peer {
    /// Asks the kernel.
    ///
    /// # Errors
    /// When the kernel does not say; such a caller gets nothing.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let (uid, pid) = (credentials.uid(), credentials.pid());
        Ok(Self {
            uid,
            gid: credentials.gid(),
            pid,
            unit: pid.and_then(|pid| unit::of(stream, pid, uid)).map(Arc::from),
        })
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
