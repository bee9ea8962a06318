//! The service manager: notifications about the state of the daemon, the watchdog, and the file descriptors that are passed and
//! stored (listening sockets, credentials, tokens).
//!
//! Nothing happens without a service manager in the environment: sd_notify(3), sd_listen_fds(3).

mod fd_store;
mod inherited_fds;
mod loopback;
mod mqtt_listener;
mod notification;
mod watchdog;

use std::rc::Rc;
use std::time::Duration;

use log::Level;
use sd_notify::NotifyState;
use tokio::time::sleep;

pub use fd_store::FdStore;
pub use inherited_fds::{Descriptors, InheritedFds};
pub use loopback::keep_loopback;
pub use mqtt_listener::keep_mqtt_listener;
pub use watchdog::feed;

pub use self::notification::is_present;
use self::notification::{notify, one_line};
use crate::clock::Clock;
use crate::credentials::CredentialCache;
use crate::event::{Event, journal};
use crate::local::ApiContext;
use crate::overview::{Overview, OverviewJournal};
use crate::problem::Fatal;
use crate::status::StatusHub;

/// Longest wait for a change that only time causes. Timers stop while the machine is suspended.
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// Added to a wait until a moment that is known in whole seconds, so that the timer does not fire just before it.
const ROUNDING: Duration = Duration::from_secs(1);

/// Logs which credentials end with this process, if no service manager stores them for the next one.
pub fn log_dropped_credentials(cache: &CredentialCache, clock: &dyn Clock) {
    let aliases = cache.aliases(clock);
    let usable = aliases.iter().filter(|alias| alias.usable(clock).is_some());
    let names: Vec<&str> = usable.map(|alias| alias.status.details.name.as_str()).collect();
    if !names.is_empty() && !is_present() {
        journal!(
            Level::Info, Event::CredentialsDropped;
            "the credentials of {} end with this process, because no service manager keeps them; the next run asks AWS for new ones",
            names.join(", ")
        );
    }
}

/// Notifies that the socket is served (READY=1).
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Notifies that the configuration is being reloaded, until [`reloaded`] (RELOADING=1).
pub fn reloading() {
    // systemd 253 and later ignore the notification without the time (Type=notify-reload).
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => log::debug!("systemd is not told of the reload: {error}"),
    }
}

/// Notifies that a reload has ended (READY=1), and restores the status line, which a program run by ExecReload= may have replaced.
pub fn reloaded(context: &ApiContext) {
    let line = context.overview().summary;
    notify(&[NotifyState::Ready, NotifyState::Status(&one_line(&line))]);
}

/// Notifies the watchdog while only the main thread is running (WATCHDOG=1).
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// Notifies that the daemon is stopping (STOPPING=1).
pub fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Sets the status line of a unit that was stopped.
pub fn stopped() {
    notify(&[NotifyState::Status("stopped")]);
}

/// Sets the status line of a unit that has failed to the reason. For the end of the daemon only.
pub fn failed(fatal: &Fatal) {
    notify(&[NotifyState::Status(&one_line(&fatal.to_string()))]);
}

/// Updates the status line and logs changes of the verdict. Runs for as long as the daemon. Changes that only time causes are
/// announced through `hub`.
pub async fn keep_status(context: Rc<ApiContext>, hub: StatusHub) {
    let mut status = hub.changed();
    let (mut status_line, mut journal) = (String::new(), OverviewJournal::default());
    loop {
        let snapshot = context.snapshot();
        let overview = Overview::new(&snapshot);
        let has_changed = journal.write(&snapshot, &overview);
        if overview.summary != status_line {
            notify(&[NotifyState::Status(&one_line(&overview.summary))]);
            status_line = overview.summary;
        }
        if has_changed {
            // This loop is notified as well, and finds no change then. Ignoring its own notification could miss another thread's.
            hub.notify();
        }
        let wait = Overview::next_change_in(&snapshot).map_or(MAX_WAIT, |wait| (wait + ROUNDING).min(MAX_WAIT));
        tokio::select! {
            changed = status.changed() => if changed.is_err() { return },
            () = sleep(wait) => {}
        }
    }
}
