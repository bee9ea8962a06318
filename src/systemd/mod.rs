//! What systemd is told: ready, one line of status, stopping.

use std::rc::Rc;

use sd_notify::NotifyState;
use tokio::sync::watch;

use crate::local::{Shared, summary};

/// READY=1: the socket answers.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// STOPPING=1: the daemon is closing its session.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Keeps the line that `systemctl status` shows true, for as long as the daemon runs.
pub async fn keep_status(shared: Rc<Shared>, mut bell: watch::Receiver<()>) {
    let mut shown = String::new();
    loop {
        let (_, line) = summary(&shared);
        if line != shown {
            notify(&[NotifyState::Status(&line)]);
            shown = line;
        }
        if bell.changed().await.is_err() {
            return;
        }
    }
}

fn notify(states: &[NotifyState]) {
    // Without systemd there is nobody to tell.
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("systemd cannot be told: {error}");
    }
}
