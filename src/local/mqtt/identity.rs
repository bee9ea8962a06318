//! The identity of a connection's other end before its CONNECT.

use std::fmt;
use std::net::SocketAddr;

use crate::local::caller::Caller;

/// The identity of a connection's other end before its CONNECT.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A process that the kernel has identified.
    Peer(Caller),
    /// A program that is to be identified by the password in its CONNECT.
    Password(SocketAddr),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(caller) => caller.fmt(f),
            Self::Password(address) => write!(f, "a program at {address}"),
        }
    }
}
