//! The TCP socket of the MQTT listener: found, bound, and held while nobody accepts connections from it.
//!
//! A program shows its password to whoever has the port. So the port is never free while it is configured: a reload takes the same
//! socket, and the service manager keeps it from one run to the next (`systemd::keep_mqtt_listener`).

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::local::loopback::{BindError, bind};

/// A socket that listens at the configured address.
#[derive(Clone, Debug)]
pub struct HeldSocket {
    /// The socket.
    pub socket: Rc<TcpListener>,
    /// Whether the service manager has it already.
    pub is_kept: bool,
}

/// The socket that is held, if any.
#[derive(Debug)]
pub struct SocketHolder {
    /// The socket that the service manager has passed.
    inherited: RefCell<Option<TcpListener>>,
    held: watch::Sender<Option<HeldSocket>>,
}

impl SocketHolder {
    /// Creates the holder. The service manager may have passed the socket.
    pub fn new(inherited: Option<TcpListener>) -> Self {
        Self {
            inherited: RefCell::new(inherited),
            held: watch::Sender::new(None),
        }
    }

    /// Subscribes to the socket.
    pub fn watch(&self) -> watch::Receiver<Option<HeldSocket>> {
        self.held.subscribe()
    }

    /// Closes the socket unless it listens at `address`.
    pub fn release_unless(&self, address: Option<SocketAddr>) {
        self.held
            .send_if_modified(|held| held.take_if(|held| held.socket.local_addr().ok() != address).is_some());
    }

    /// Returns a socket that listens at `address` for the runtime, and holds it.
    ///
    /// # Errors
    /// If it cannot be bound or used.
    pub async fn acquire(&self, address: SocketAddr) -> Result<tokio::net::TcpListener, BindError> {
        self.release_unless(Some(address));
        let held = self.held.borrow().clone();
        let held = match held {
            Some(held) => held,
            None => self.find_or_bind(address).await?,
        };
        held.socket.set_nonblocking(true)?;
        let registered = tokio::net::TcpListener::from_std(held.socket.try_clone()?)?;
        self.held.send_if_modified(|known| known.replace(held).is_none());
        Ok(registered)
    }

    async fn find_or_bind(&self, address: SocketAddr) -> Result<HeldSocket, BindError> {
        let inherited = self.inherited.borrow_mut().take();
        let inherited = inherited.filter(|socket| socket.local_addr().ok() == Some(address));
        let is_kept = inherited.is_some();
        let socket = match inherited {
            Some(socket) => socket,
            None => spawn_blocking(move || bind(address))
                .await
                .unwrap_or_else(|error| Err(io::Error::other(error).into()))?,
        };
        let socket = Rc::new(socket);
        Ok(HeldSocket { socket, is_kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free() -> TcpListener {
        TcpListener::bind((rig::port::unshared_address(), 0)).unwrap()
    }

    fn is_free(address: SocketAddr) -> bool {
        TcpListener::bind(address).is_ok()
    }

    #[tokio::test]
    async fn the_port_is_held_from_one_configuration_to_the_next() {
        let address = free().local_addr().unwrap();
        let holder = SocketHolder::new(None);
        let mut watch = holder.watch();
        for round in 0..3 {
            let listener = holder.acquire(address).await.unwrap();
            assert_eq!(listener.local_addr().unwrap(), address);
            drop(listener);
            assert!(!is_free(address), "nobody accepts, and nobody else may have the port");
            assert_eq!(watch.has_changed().unwrap(), round == 0, "the same socket is no news");
            assert!(!watch.borrow_and_update().as_ref().unwrap().is_kept);
        }
        holder.release_unless(Some(address));
        assert!(!is_free(address));
        holder.release_unless(None);
        assert!(is_free(address));
        assert!(watch.borrow_and_update().is_none());
    }

    #[tokio::test]
    async fn another_address_frees_the_port() {
        let [first, second] = [free(), free()].map(|socket| socket.local_addr().unwrap());
        let holder = SocketHolder::new(None);
        drop(holder.acquire(first).await.unwrap());
        drop(holder.acquire(second).await.unwrap());
        assert!(is_free(first) && !is_free(second));
        // A port that cannot be had leaves none behind.
        let taken = free();
        let taken_address = taken.local_addr().unwrap();
        let error = holder.acquire(taken_address).await.unwrap_err();
        assert!(
            error.next_step("local-mqtt.listen").contains("local-mqtt.listen"),
            "{error}"
        );
        assert!(is_free(second) && holder.watch().borrow().is_none());
        drop(taken);
        holder.acquire(taken_address).await.unwrap();
    }

    #[tokio::test]
    async fn an_inherited_socket_is_used_if_it_is_the_configured_one() {
        let inherited = free();
        let address = inherited.local_addr().unwrap();
        let holder = SocketHolder::new(Some(inherited));
        drop(holder.acquire(address).await.unwrap());
        assert!(holder.watch().borrow().as_ref().unwrap().is_kept);
        // Another one is closed.
        let (inherited, configured) = (free(), free());
        let [other, address] = [&inherited, &configured].map(|socket| socket.local_addr().unwrap());
        drop(configured);
        let holder = SocketHolder::new(Some(inherited));
        drop(holder.acquire(address).await.unwrap());
        assert!(!holder.watch().borrow().as_ref().unwrap().is_kept);
        assert!(is_free(other));
    }
}
