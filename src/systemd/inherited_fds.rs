//! The file descriptors that the service manager passes at the start: its listening sockets, and what the previous run has stored.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use log::Level;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketType, getsockname};

use super::fd_store;
use crate::event::{Event, journal};
use crate::local::Inherited;

/// The file descriptors, sorted by their use.
#[derive(Debug, Default)]
pub struct InheritedFds {
    /// The Unix socket, if systemd listens on it (gatepost.socket).
    pub listener: Option<UnixListener>,
    /// Credentials that the previous run has stored.
    pub stored: Vec<(String, OwnedFd)>,
    /// The socket and the tokens of the loopback listener, as far as there are any.
    pub loopback: Inherited,
    /// The socket of the MQTT listener, if a socket unit holds it or the previous run has stored it.
    pub local_mqtt: Option<TcpListener>,
}

/// The file descriptors as passed, with their names. What they are for depends on the configuration, which is not read yet.
#[derive(Debug, Default)]
pub struct Descriptors(Vec<(String, OwnedFd)>);

impl Descriptors {
    /// Takes all file descriptors. To be called once.
    pub fn take() -> Self {
        match sd_listen_fds::get() {
            Ok(descriptors) => {
                let descriptors = descriptors.into_iter();
                let named = descriptors.map(|(name, descriptor)| (name.unwrap_or_default(), descriptor.into_std()));
                Self(named.collect())
            }
            Err(error) => {
                journal!(Level::Warn, Event::DescriptorRefused; "systemd: the descriptors that it passes are not used: {error}");
                Self::default()
            }
        }
    }

    /// Returns the credentials that the previous run has stored.
    pub fn credentials(&self) -> Vec<&OwnedFd> {
        let stored = self.0.iter().filter(|(name, _)| fd_store::has_credentials(name));
        stored.map(|(_, descriptor)| descriptor).collect()
    }

    /// Returns a copy of the listening Unix socket, if systemd listens on it.
    pub fn listener(&self) -> Option<UnixListener> {
        let mut others = self.0.iter().filter(|(name, _)| !fd_store::has_credentials(name));
        let (_, listener) = others.find(|(_, descriptor)| listens(descriptor, AddressFamily::UNIX))?;
        let listener = UnixListener::from(listener.try_clone().ok()?);
        listener.set_nonblocking(true).ok()?;
        Some(listener)
    }
}

impl InheritedFds {
    /// Sorts the file descriptors by their use. `loopback` and `mqtt` are the configured addresses of the loopback listener and of
    /// the MQTT listener. Any other descriptor is logged and closed.
    pub fn sorted(descriptors: Descriptors, loopback: Option<SocketAddr>, mqtt: Option<SocketAddr>) -> Self {
        let mut sorted = Self::default();
        for (name, descriptor) in descriptors.0 {
            sorted.sort(name, descriptor, loopback, mqtt);
        }
        sorted
    }

    fn sort(&mut self, name: String, descriptor: OwnedFd, loopback: Option<SocketAddr>, mqtt: Option<SocketAddr>) {
        // Programs that the daemon starts must not inherit the descriptor in turn.
        if let Err(error) = fcntl_setfd(&descriptor, FdFlags::CLOEXEC) {
            journal!(Level::Warn, Event::DescriptorRefused; "systemd: the descriptor {name:?} is not valid: {error}");
            return;
        }
        if fd_store::has_credentials(&name) {
            self.stored.push((name, descriptor));
        } else if fd_store::has_tokens(&name) && loopback.is_some() {
            self.loopback.tokens.push((name, descriptor));
        } else if self.listener.is_none() && listens(&descriptor, AddressFamily::UNIX) {
            self.listener = Some(descriptor.into());
        } else if self.loopback.listener.is_none() && loopback.is_some_and(|address| listens_at(&descriptor, address)) {
            // The socket stays in the store: a socket of a socket unit is the manager's own anyway.
            self.loopback.is_kept = true;
            self.loopback.listener = Some(descriptor.into());
        } else if self.local_mqtt.is_none() && mqtt.is_some_and(|address| listens_at(&descriptor, address)) {
            self.local_mqtt = Some(descriptor.into());
        } else {
            journal!(
                Level::Warn, Event::DescriptorRefused;
                "systemd: the descriptor {name:?} is neither the listening Unix socket, nor one at loopback.listen or local-mqtt.listen, nor anything stored, and is closed"
            );
            // A stored descriptor would be passed again at each start. For a socket's name this removes nothing.
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
