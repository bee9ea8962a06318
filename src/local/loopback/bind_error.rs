//! Why a listener cannot use its address, and what an administrator can do about it.

use std::fmt;
use std::io::{self, ErrorKind};

use nix::errno::Errno;

/// Why an address cannot be bound. Its text is the reason as part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindError {
    reason: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Another socket has the port.
    Taken,
    /// The service may not have this port.
    NotPermitted,
    /// This machine does not have the address.
    NoSuchAddress,
    /// No file descriptor is left.
    NoDescriptor,
    Other,
}

impl BindError {
    /// Creates the error for a port that another program has.
    pub fn taken(reason: String) -> Self {
        Self {
            reason,
            kind: Kind::Taken,
        }
    }

    /// Returns the next step. `key` is the configuration key with the address.
    pub fn next_step(&self, key: &str) -> String {
        match self.kind {
            Kind::Taken => format!(
                "give it another port ({key}), or end the program that has this one; ss -tlnp shows it, and without -l its connections"
            ),
            Kind::NotPermitted => format!("choose a port above 1023 ({key}), or let a socket unit hold this one"),
            Kind::NoSuchAddress => {
                format!("ip address show dev lo; set {key} to an address that is there, or bring it back")
            }
            Kind::NoDescriptor => "raise LimitNOFILE= of the service (systemctl edit gatepost)".to_owned(),
            Kind::Other => format!("change {key}, or correct what the reason names"),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl From<io::Error> for BindError {
    fn from(error: io::Error) -> Self {
        let kind = match (error.kind(), error.raw_os_error().map(Errno::from_raw)) {
            (ErrorKind::AddrInUse, _) => Kind::Taken,
            (ErrorKind::PermissionDenied, _) => Kind::NotPermitted,
            (ErrorKind::AddrNotAvailable, _) | (_, Some(Errno::EAFNOSUPPORT)) => Kind::NoSuchAddress,
            (_, Some(Errno::EMFILE | Errno::ENFILE)) => Kind::NoDescriptor,
            _ => Kind::Other,
        };
        Self {
            reason: error.to_string(),
            kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_next_step_of_its_own() {
        for (errno, step) in [
            (Errno::EADDRINUSE, "end the program that has this one"),
            (Errno::EACCES, "a port above 1023 (local-mqtt.listen)"),
            (Errno::EPERM, "a port above 1023"),
            (Errno::EADDRNOTAVAIL, "ip address show dev lo"),
            (Errno::EAFNOSUPPORT, "ip address show dev lo"),
            (Errno::EMFILE, "LimitNOFILE="),
            (Errno::ENFILE, "LimitNOFILE="),
            (Errno::ENOMEM, "correct what the reason names"),
            (Errno::EINVAL, "change local-mqtt.listen"),
            (Errno::ENOBUFS, "correct what the reason names"),
        ] {
            let error = BindError::from(io::Error::from_raw_os_error(errno as i32));
            let found = error.next_step("local-mqtt.listen");
            assert!(found.contains(step), "{errno}: {found}");
            assert!(!error.to_string().is_empty());
        }
        let taken = BindError::taken("user camera (uid 1001) listens there".to_owned());
        assert!(taken.next_step("loopback.listen").contains("(loopback.listen)"));
    }
}
