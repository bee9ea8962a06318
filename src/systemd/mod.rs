//! What the service manager is told (ready, one line of status, reloading, stopping, still alive) and what it keeps and
//! hands over (the listening sockets, credentials and tokens of the run before).
//!
//! All of it is done only where the environment names a service manager: sd_notify(3), sd_listen_fds(3).

mod loopback;
mod passed;
mod store;
mod watchdog;

use std::rc::Rc;

use log::Level;
use sd_notify::NotifyState;
use tokio::sync::watch;

pub use loopback::keep_loopback;
pub use passed::{Descriptors, Passed};
pub use store::Store;
pub use watchdog::feed;

use crate::clock::Clock;
use crate::credentials::Shelf;
use crate::event::{Event, journal};
use crate::local::{Shared, summary};
use crate::problem::Fatal;

/// Whether there is a service manager that keeps what is left with it for the next run.
fn is_present() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty())
}

/// Says at a stop which credentials end with this process, because nobody keeps them for the next one.
pub fn say_what_is_dropped(shelf: &Shelf, clock: &dyn Clock) {
    let parts = shelf.parts(clock);
    let usable = parts.iter().filter(|part| part.usable(clock).is_some());
    let names: Vec<&str> = usable.map(|part| part.details.name.as_str()).collect();
    if !names.is_empty() && !is_present() {
        journal!(
            Level::Info, Event::CredentialsDropped;
            "the credentials of {} end with this process, because no service manager keeps them; the next run asks AWS for new ones",
            names.join(", ")
        );
    }
}

/// READY=1: the socket answers, by the configuration as it is now.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// RELOADING=1: the configuration is being read again, until [`reloaded`].
pub fn reloading() {
    // Without the time, systemd 253 and later take it for an answer to no question (Type=notify-reload).
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => log::debug!("systemd is not told of the reload: {error}"),
    }
}

/// READY=1 after a reload, and the line of status: whatever ExecReload= has run may have said another one meanwhile.
pub fn reloaded(shared: &Shared) {
    let (_, line) = summary(shared);
    notify(&[NotifyState::Ready, NotifyState::Status(&one_line(&line))]);
}

/// WATCHDOG=1, where nothing but this thread runs yet.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// STOPPING=1: the daemon is closing its session.
pub fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// The line that `systemctl status` shows of a unit that was stopped.
pub fn stopped() {
    notify(&[NotifyState::Status("stopped")]);
}

/// Leaves the reason in the line that `systemctl status` shows of a unit that has failed. For the daemon's own end alone.
pub fn failed(fatal: &Fatal) {
    notify(&[NotifyState::Status(&one_line(&fatal.to_string()))]);
}

/// Keeps the line that `systemctl status` shows true, for as long as the daemon runs.
pub async fn keep_status(shared: Rc<Shared>, mut bell: watch::Receiver<()>) {
    let mut shown = String::new();
    loop {
        let (_, line) = summary(&shared);
        if line != shown {
            notify(&[NotifyState::Status(&one_line(&line))]);
            shown = line;
        }
        if bell.changed().await.is_err() {
            return;
        }
    }
}

/// A line of its own would be a message of its own.
fn one_line(text: &str) -> String {
    text.replace('\n', "; ")
}

fn notify(states: &[NotifyState]) {
    // Without systemd there is nobody to tell.
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("systemd cannot be told: {error}");
    }
}
