//! What the service manager is told (ready, one line of status, reloading, stopping, still alive) and what it keeps and
//! hands over (the listening sockets, credentials and tokens of the run before).
//!
//! All of it is done only where the environment names a service manager: sd_notify(3), sd_listen_fds(3).

mod fd_store;
mod inherited_fds;
mod loopback;
mod watchdog;

use std::rc::Rc;
use std::time::Duration;

use log::Level;
use sd_notify::NotifyState;
use tokio::time::sleep;

pub use fd_store::FdStore;
pub use inherited_fds::{Descriptors, InheritedFds};
pub use loopback::keep_loopback;
pub use watchdog::feed;

use crate::clock::Clock;
use crate::credentials::CredentialCache;
use crate::event::{Event, journal};
use crate::local::ApiContext;
use crate::overview::{Overview, OverviewJournal};
use crate::problem::Fatal;
use crate::status::StatusHub;

/// Timers stand still while the machine is suspended: a far-off end is looked at again this often.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
/// Ends are told in whole seconds; a timer must not fire in the last of them.
const ROUNDING: Duration = Duration::from_secs(1);

/// Whether there is a service manager that keeps what is left with it for the next run.
fn is_present() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty())
}

/// Says at a stop which credentials end with this process, because nobody keeps them for the next one.
pub fn say_what_is_dropped(cache: &CredentialCache, clock: &dyn Clock) {
    let parts = cache.parts(clock);
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
pub fn reloaded(shared: &ApiContext) {
    let line = shared.overview().summary;
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

/// Keeps the line that `systemctl status` shows true, and writes to the journal what is new in the verdict, for as long as the
/// daemon runs. What only time changes is told to everybody else who listens to `hub`.
pub async fn keep_status(shared: Rc<ApiContext>, hub: StatusHub) {
    let mut status = hub.changed();
    let (mut shown, mut journal) = (String::new(), OverviewJournal::default());
    loop {
        let snapshot = shared.snapshot();
        let overview = Overview::new(&snapshot);
        let is_news = journal.write(&snapshot, &overview);
        if overview.summary != shown {
            notify(&[NotifyState::Status(&one_line(&overview.summary))]);
            shown = overview.summary;
        }
        if is_news {
            // This is heard here as well, where it is no news; what other threads report meanwhile must not be missed.
            hub.ring();
        }
        let again = Overview::look_again_in(&snapshot).map_or(LOOK_AGAIN, |again| (again + ROUNDING).min(LOOK_AGAIN));
        tokio::select! {
            changed = status.changed() => if changed.is_err() { return },
            () = sleep(again) => {}
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
