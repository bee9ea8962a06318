//! The connected MQTT clients, and the wills that wait for their delay.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::task::JoinHandle;

use super::mailbox::Mailbox;
use super::own::OwnMessages;
use crate::messages::Account;

/// Identifies a client: account and client identifier. Two accounts may use the same client identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    /// The account whose share of the outbox its messages count towards.
    pub account: Account,
    /// The client identifier.
    pub client_id: String,
}

/// The state of a session whose client is not connected. It is lost with the process; no promise depends on it.
#[derive(Debug, Default)]
pub(super) struct DisconnectedSession {
    /// Number of the last stored message that was sent; `None` if that is unknown.
    pub(super) sent: Option<i64>,
    /// Messages of the client that AWS may send back.
    pub(super) own: Option<Box<OwnMessages>>,
}

/// Maximum number of disconnected sessions that are remembered; more than the database can hold.
const MAX_DISCONNECTED_SESSIONS: usize = 1024;

/// Returns the name of the durable subscription that holds a client's session. Programs that speak HTTP cannot choose such a name.
pub fn session_name(key: &ClientKey) -> String {
    format!("mqtt:{}:{}", key.account.as_str(), key.client_id)
}

/// A will that waits for its delay.
struct PendingWill {
    waiting: JoinHandle<()>,
    publish_now: Box<dyn FnOnce()>,
}

impl std::fmt::Debug for PendingWill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingWill").finish_non_exhaustive()
    }
}

/// Clients and pending wills.
#[derive(Debug, Default)]
pub struct Registry {
    connected: RefCell<HashMap<Rc<ClientKey>, Rc<Mailbox>>>,
    wills: RefCell<HashMap<ClientKey, PendingWill>>,
    /// The sessions whose clients are not connected.
    disconnected: RefCell<HashMap<ClientKey, DisconnectedSession>>,
}

impl Registry {
    /// Registers a connection of the client, and ends an earlier one. `resumes` says whether the new connection resumes the session.
    pub fn connect(&self, key: &Rc<ClientKey>, mailbox: &Rc<Mailbox>, resumes: bool) {
        let before = self.connected.borrow_mut().insert(key.clone(), mailbox.clone());
        if let Some(before) = before {
            before.take_over(resumes);
        }
    }

    /// Removes a connection unless another one has replaced it. Returns whether it was removed.
    pub fn disconnect(&self, key: &ClientKey, mailbox: &Rc<Mailbox>) -> bool {
        let mut connected = self.connected.borrow_mut();
        let is_current = connected.get(key).is_some_and(|known| Rc::ptr_eq(known, mailbox));
        if is_current {
            connected.remove(key);
        }
        is_current
    }

    /// Returns what is remembered of the session if it is resumed; otherwise forgets it, and returns the state of a new one.
    pub(super) fn begin_session(&self, key: &ClientKey, is_present: bool) -> DisconnectedSession {
        let remembered = self.disconnected.borrow_mut().remove(key);
        match is_present {
            true => remembered.unwrap_or_default(),
            false => DisconnectedSession {
                sent: Some(0),
                ..DisconnectedSession::default()
            },
        }
    }

    /// Remembers a session until its client connects again.
    pub(super) fn keep(&self, key: ClientKey, session: DisconnectedSession) {
        let mut known = self.disconnected.borrow_mut();
        if known.len() < MAX_DISCONNECTED_SESSIONS {
            known.insert(key, session);
        }
    }

    /// Returns whether the client is connected.
    pub fn is_connected(&self, key: &ClientKey) -> bool {
        self.connected.borrow().contains_key(key)
    }

    /// Returns the number of connected clients.
    pub fn count(&self) -> usize {
        self.connected.borrow().len()
    }

    /// Adds a will that waits for its delay. `publish_now` publishes it earlier.
    pub fn add_will(&self, key: ClientKey, waiting: JoinHandle<()>, publish_now: Box<dyn FnOnce()>) {
        let mut wills = self.wills.borrow_mut();
        wills.retain(|_, will| !will.waiting.is_finished());
        wills.insert(key, PendingWill { waiting, publish_now });
    }

    /// Ends the wait of the client's will: the will is discarded if the session is resumed, and published at once if the session ends.
    pub fn end_will(&self, key: &ClientKey, session_ends: bool) {
        let Some(will) = self.wills.borrow_mut().remove(key) else {
            return;
        };
        if will.waiting.is_finished() {
            return;
        }
        will.waiting.abort();
        if session_ends {
            (will.publish_now)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_connection_of_the_same_client_takes_over_and_others_stay() {
        let registry = Registry::default();
        let key = |account: &str| {
            Rc::new(ClientKey {
                account: Account::new(account),
                client_id: "c".into(),
            })
        };
        let [first, second, other] = [0; 3].map(|_| Rc::new(Mailbox::default()));
        registry.connect(&key("a"), &first, false);
        registry.connect(&key("b"), &other, false);
        registry.connect(&key("a"), &second, true);
        assert_eq!(first.taken_over(), Some(true));
        assert_eq!((second.taken_over(), other.taken_over()), (None, None));
        assert_eq!(registry.count(), 2);
        assert!(!registry.disconnect(&key("a"), &first), "it has been replaced");
        assert!(registry.disconnect(&key("a"), &second));
        assert_eq!(registry.count(), 1);
    }
}
