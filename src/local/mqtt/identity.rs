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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::caller::Peer;

    #[test]
    fn messages_name_the_process_or_the_address() {
        let process = Identity::Peer(Caller::Peer(Peer::new(4_000_001, 4_000_001, Some(17))));
        assert!(process.to_string().contains("4000001"), "{process}");
        let unknown = Identity::Password("127.0.0.1:40000".parse().unwrap());
        assert_eq!(unknown.to_string(), "a program at 127.0.0.1:40000");
    }
}
