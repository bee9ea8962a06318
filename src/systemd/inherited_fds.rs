//! The descriptors that the service manager passes at the start: the sockets it listens on for us, and what it has kept
//! for us from the run before.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use log::Level;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketType, getsockname};

use super::fd_store;
use crate::event::{Event, journal};
use crate::local::Inherited;

/// What was passed.
#[derive(Debug, Default)]
pub struct InheritedFds {
    /// The socket, if systemd listens for us (gatepost.socket).
    pub listener: Option<UnixListener>,
    /// Credentials that an earlier run has put into the store.
    pub stored: Vec<(String, OwnedFd)>,
    /// What there is of the loopback listener's.
    pub loopback: Inherited,
}

/// File descriptors passed by systemd, with their names, before it is known what is configured.
#[derive(Debug, Default)]
pub struct Descriptors(Vec<(String, OwnedFd)>);

impl Descriptors {
    /// Takes all of it; to be called once.
    pub fn take() -> Self {
        match sd_listen_fds::get() {
            Ok(descriptors) => {
                let descriptors = descriptors.into_iter();
                let named = descriptors.map(|(name, descriptor)| (name.unwrap_or_default(), descriptor.into_std()));
                Self(named.collect())
            }
            Err(error) => {
                journal!(Level::Warn, Event::DescriptorRefused; "systemd: what it passes is not taken: {error}");
                Self::default()
            }
        }
    }

    /// Those that an earlier run has put into the store as credentials.
    pub fn credentials(&self) -> Vec<&OwnedFd> {
        let stored = self.0.iter().filter(|(name, _)| fd_store::has_credentials(name));
        stored.map(|(_, descriptor)| descriptor).collect()
    }

    /// A copy of the listening Unix socket, if systemd listens for us.
    pub fn listener(&self) -> Option<UnixListener> {
        let mut others = self.0.iter().filter(|(name, _)| !fd_store::has_credentials(name));
        let (_, listener) = others.find(|(_, descriptor)| listens(descriptor, AddressFamily::UNIX))?;
        let listener = UnixListener::from(listener.try_clone().ok()?);
        listener.set_nonblocking(true).ok()?;
        Some(listener)
    }
}

impl InheritedFds {
    /// Sorts what was passed. `loopback` is where the loopback listener is configured. A descriptor that is none of these is
    /// closed, and said so.
    pub fn sorted(descriptors: Descriptors, loopback: Option<SocketAddr>) -> Self {
        let mut passed = Self::default();
        for (name, descriptor) in descriptors.0 {
            passed.sort(name, descriptor, loopback);
        }
        passed
    }

    fn sort(&mut self, name: String, descriptor: OwnedFd, loopback: Option<SocketAddr>) {
        // They are inherited across exec, or they would not be here; none of ours should inherit them again.
        if let Err(error) = fcntl_setfd(&descriptor, FdFlags::CLOEXEC) {
            journal!(Level::Warn, Event::DescriptorRefused; "systemd: the descriptor {name:?} is none: {error}");
            return;
        }
        if fd_store::has_credentials(&name) {
            self.stored.push((name, descriptor));
        } else if fd_store::has_tokens(&name) && loopback.is_some() {
            self.loopback.tokens.push((name, descriptor));
        } else if self.listener.is_none() && listens(&descriptor, AddressFamily::UNIX) {
            self.listener = Some(descriptor.into());
        } else if self.loopback.listener.is_none() && loopback.is_some_and(|address| listens_at(&descriptor, address)) {
            // Of a socket unit's the manager has its own; the other must be kept in the store, where it is.
            self.loopback.is_kept = true;
            self.loopback.listener = Some(descriptor.into());
        } else {
            journal!(
                Level::Warn, Event::DescriptorRefused;
                "systemd: the descriptor {name:?} is neither the listening Unix socket, nor one at loopback.listen, nor anything stored, and is closed"
            );
            // What is in the store would come again at each start; of a socket's name the store has nothing.
            fd_store::remove(&name);
        }
    }
}

fn listens_at(descriptor: &OwnedFd, address: SocketAddr) -> bool {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let bound = || {
        getsockname(descriptor)
            .ok()
            .and_then(|bound| SocketAddr::try_from(bound).ok())
    };
    listens(descriptor, family) && bound() == Some(address)
}

fn listens(descriptor: &OwnedFd, family: AddressFamily) -> bool {
    socket_domain(descriptor) == Ok(family)
        && socket_type(descriptor) == Ok(SocketType::STREAM)
        && socket_acceptconn(descriptor) == Ok(true)
}
