//! Who is at the other end of a connection, by the kernel's word (SO_PEERCRED).

use std::fmt;
use std::io;

use tokio::net::UnixStream;

/// The caller as the kernel recorded it when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user.
    pub uid: u32,
    /// Its effective primary group.
    pub gid: u32,
    /// Its process, for messages only: a number that may have been reused by now.
    pub pid: Option<i32>,
}

impl Peer {
    /// Asks the kernel.
    ///
    /// # Errors
    /// When the kernel does not say; such a caller gets nothing.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        Ok(Self {
            uid: credentials.uid(),
            gid: credentials.gid(),
            pid: credentials.pid(),
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}", self.uid)?;
        match self.pid {
            Some(pid) => write!(f, " (pid {pid})"),
            None => Ok(()),
        }
    }
}
