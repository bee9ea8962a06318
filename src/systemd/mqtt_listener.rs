//! The TCP socket of the MQTT listener in the service manager's store. So no other user can take the port while gatepostd restarts,
//! and be shown the passwords of programs; and programs that connect meanwhile wait instead of being refused.

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use log::Level;

use super::fd_store::{remove, store};
use super::notification::is_present;
use crate::event::{Event, journal};
use crate::local::{ApiContext, HeldSocket};

/// Name of the socket in the store.
const LISTENER: &str = "local-mqtt";

/// Stores the socket whenever another one is bound, and removes the one before. Runs for as long as the daemon.
pub async fn keep_mqtt_listener(context: Rc<ApiContext>) {
    if !is_present() {
        return;
    }
    let mut held = context.mqtt.socket.watch();
    let mut is_stored = false;
    loop {
        let socket = held.borrow_and_update().clone();
        if is_stored {
            // Frees the port that is no longer configured.
            remove(LISTENER);
        }
        is_stored = socket.is_some();
        if let Some(Err(error)) = socket.filter(|socket| !socket.is_kept).map(|socket| keep(&socket)) {
            journal!(
                Level::Warn, Event::MqttNotKept;
                "systemd: the socket of local-mqtt.listen is not kept for the next run: {error}"
            );
        }
        if held.changed().await.is_err() {
            return;
        }
    }
}

fn keep(socket: &HeldSocket) -> io::Result<()> {
    let copy: OwnedFd = socket.socket.try_clone()?.into();
    store(LISTENER, &copy)
}
