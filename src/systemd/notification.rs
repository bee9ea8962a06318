//! Notifications to the service manager (sd_notify(3)).

use sd_notify::NotifyState;

/// Returns whether there is a service manager, which can store file descriptors for the next run.
pub fn is_present() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty())
}

/// Joins the lines of a text: in the notification protocol each line is a message.
pub(super) fn one_line(text: &str) -> String {
    text.replace('\n', "; ")
}

/// Sends notifications, if there is a service manager.
pub(super) fn notify(states: &[NotifyState]) {
    // Without a service manager this is a no-op, which is not an error.
    if let Err(error) = sd_notify::notify(states) {
        log::debug!("systemd was not notified: {error}");
    }
}
