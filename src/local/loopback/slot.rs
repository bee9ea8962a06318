//! Holds the loopback listener that is configured now. A reload may replace or remove it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::state::{Inherited, Loopback};
use crate::local::bearer_tokens::remove_token_files;
use crate::status::{LoopbackPart, StatusHub};

/// The configured loopback listener, if there is one.
#[derive(Debug)]
pub struct LoopbackSlot {
    current: watch::Sender<Option<Rc<Loopback>>>,
    /// The listener's status, for threads that the listener itself cannot be sent to.
    part: watch::Sender<Option<watch::Receiver<LoopbackPart>>>,
    /// Folder of the token files.
    folder: PathBuf,
    hub: StatusHub,
}

impl LoopbackSlot {
    /// Creates the slot with a listener for `address`, if there is one. Its token files are in `folder`.
    pub fn new(address: Option<SocketAddr>, folder: PathBuf, hub: StatusHub, inherited: Inherited) -> Self {
        let listener = address.map(|address| Rc::new(Loopback::new(address, folder.clone(), &hub, inherited)));
        Self {
            part: watch::Sender::new(listener.as_deref().map(Loopback::watch)),
            current: watch::Sender::new(listener),
            folder,
            hub,
        }
    }

    /// Returns the listener, if one is configured.
    pub fn get(&self) -> Option<Rc<Loopback>> {
        self.current.borrow().clone()
    }

    /// Subscribes to the status of the configured listener.
    pub fn part(&self) -> watch::Receiver<Option<watch::Receiver<LoopbackPart>>> {
        self.part.subscribe()
    }

    /// Subscribes to changes of the configured listener.
    pub fn watch(&self) -> watch::Receiver<Option<Rc<Loopback>>> {
        self.current.subscribe()
    }

    /// Configures a listener for `address`, or none. A listener that has this address already stays.
    pub fn configure(&self, address: Option<SocketAddr>) {
        if self.get().map(|listener| listener.address()) == address {
            return;
        }
        let new = |address| {
            Rc::new(Loopback::new(
                address,
                self.folder.clone(),
                &self.hub,
                Inherited::default(),
            ))
        };
        let listener = address.map(new);
        self.part.send_replace(listener.as_deref().map(Loopback::watch));
        self.current.send_replace(listener);
        self.hub.notify();
    }

    /// Removes the token files of a listener that is no longer configured.
    pub async fn remove_files(&self) {
        let folder = self.folder.clone();
        // A failure is logged by the blocking thread itself.
        let _ = spawn_blocking(move || remove_token_files(&folder)).await;
    }
}
