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
    /// The user whose account it uses: another one's where that user can become this one.
    pub account: u32,
    /// Its effective primary group.
    pub gid: u32,
    /// Its process, for messages only: a number that may have been reused by now.
    pub pid: Option<i32>,
    /// The systemd unit that it runs in; `None` where that cannot be said for sure, or was not looked up.
    pub unit: Option<Arc<str>>,
}

impl Peer {
    /// A peer whose unit is not known, with an account of its own.
    pub fn new(uid: u32, gid: u32, pid: Option<i32>) -> Self {
        Self {
            uid,
            account: uid,
            gid,
            pid,
            unit: None,
        }
    }

    /// Asks the kernel who the peer is, but not in which unit: that takes a file to be read.
    ///
    /// # Errors
    /// When the kernel does not say; such a caller gets nothing.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        Ok(Self::new(credentials.uid(), credentials.gid(), credentials.pid()))
    }

    /// Looks up the unit that the peer runs in.
    pub fn look_up_unit(&mut self, stream: &UnixStream) {
        self.unit = self.pid.and_then(|pid| unit::of(stream, pid, self.uid)).map(Arc::from);
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
