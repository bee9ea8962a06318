//! The loopback listener that is configured now; a reload may close its port, or open another.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::{Inherited, Loopback, files};
use crate::status::{LoopbackPart, StatusHub};

/// The listener that is configured, if one is.
#[derive(Debug)]
pub struct LoopbackPlace {
    current: watch::Sender<Option<Rc<Loopback>>>,
    /// Its part of the status, for threads that the listener itself never goes to.
    part: watch::Sender<Option<watch::Receiver<LoopbackPart>>>,
    /// Folder of the token files.
    folder: PathBuf,
    hub: StatusHub,
}

impl LoopbackPlace {
    /// The listener for `address`, if there is one, with its token files in `folder` and with what an earlier run has left.
    pub fn new(address: Option<SocketAddr>, folder: PathBuf, hub: StatusHub, inherited: Inherited) -> Self {
        let listener = address.map(|address| Rc::new(Loopback::new(address, folder.clone(), &hub, inherited)));
        Self {
            part: watch::Sender::new(listener.as_deref().map(Loopback::watch)),
            current: watch::Sender::new(listener),
            folder,
            hub,
        }
    }

    /// The listener, if one is configured.
    pub fn get(&self) -> Option<Rc<Loopback>> {
        self.current.borrow().clone()
    }

    /// The listener's part of the status.
    pub fn part(&self) -> watch::Receiver<Option<watch::Receiver<LoopbackPart>>> {
        self.part.subscribe()
    }

    /// Changes whenever another listener is configured.
    pub fn watch(&self) -> watch::Receiver<Option<Rc<Loopback>>> {
        self.current.subscribe()
    }

    /// Configures a listener for `address`, or none. One that is there for this address stays as it is.
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

    /// Removes the token files of a listener that is configured no longer.
    pub(super) async fn remove_files(&self) {
        let folder = self.folder.clone();
        // What cannot be waited for is said by the thread itself.
        let _ = spawn_blocking(move || files::remove(&folder)).await;
    }
}
