//! The descriptors that the service manager passes at the start: the socket it listens on for us, and what it has kept
//! for us from the run before.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use log::Level;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketType};

use super::store;
use crate::event::{Event, journal};

/// What was passed.
#[derive(Debug, Default)]
pub struct Passed {
    /// The socket, if systemd listens for us (gatepost.socket).
    pub listener: Option<UnixListener>,
    /// What an earlier run has put into the store.
    pub stored: Vec<(String, OwnedFd)>,
}

impl Passed {
    /// Takes all of it; to be called once. A descriptor that is neither is closed, and said so.
    pub fn take() -> Self {
        let mut passed = Self::default();
        match sd_listen_fds::get() {
            Ok(descriptors) => {
                for (name, descriptor) in descriptors {
                    passed.sort(name.unwrap_or_default(), descriptor.into_std());
                }
            }
            Err(error) => {
                journal!(Level::Warn, Event::DescriptorRefused; "systemd: what it passes is not taken: {error}")
            }
        }
        passed
    }

    fn sort(&mut self, name: String, descriptor: OwnedFd) {
        // They are inherited across exec, or they would not be here; none of ours should inherit them again.
        if let Err(error) = fcntl_setfd(&descriptor, FdFlags::CLOEXEC) {
            journal!(Level::Warn, Event::DescriptorRefused; "systemd: the descriptor {name:?} is none: {error}");
            return;
        }
        if store::is_ours(&name) {
            self.stored.push((name, descriptor));
        } else if self.listener.is_none() && listens(&descriptor) {
            self.listener = Some(descriptor.into());
        } else {
            journal!(
                Level::Warn, Event::DescriptorRefused;
                "systemd: the descriptor {name:?} is neither the listening Unix socket nor stored credentials, and is closed"
            );
            // What is in the store would come again at each start; of a socket's name the store has nothing.
            store::remove(&name);
        }
    }
}

fn listens(descriptor: &OwnedFd) -> bool {
    socket_domain(descriptor) == Ok(AddressFamily::UNIX)
        && socket_type(descriptor) == Ok(SocketType::STREAM)
        && socket_acceptconn(descriptor) == Ok(true)
}
