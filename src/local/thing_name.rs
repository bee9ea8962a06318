//! Provides the thing name, which replaces `{thing}`. After a restart it is known before the token has opened.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::messages::{Inbox, Outbox};
use crate::status::IdentityPart;

/// Time between two attempts to read the stored name.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum time that a caller waits for the stored name after a start.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// The state of the lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lookup {
    /// The stored name is being read.
    Pending,
    /// No name is stored: this gateway never had a certificate, or its database was recreated.
    Unknown,
    /// The name is known.
    Known(String),
}

/// The thing name as last known.
#[derive(Clone, Debug)]
pub struct ThingName(watch::Sender<Lookup>);

impl Default for ThingName {
    fn default() -> Self {
        Self(watch::Sender::new(Lookup::Pending))
    }
}

impl ThingName {
    /// Returns the name if it is known now.
    pub fn known(&self) -> Option<String> {
        match &*self.0.borrow() {
            Lookup::Known(name) => Some(name.clone()),
            Lookup::Pending | Lookup::Unknown => None,
        }
    }

    /// Waits until the stored name was read, and returns it; `None` on a gateway that never had a certificate.
    pub async fn get(&self) -> Option<String> {
        let mut lookup = self.0.subscribe();
        let complete = timeout(LOOKUP_TIMEOUT, lookup.wait_for(|lookup| *lookup != Lookup::Pending)).await;
        match complete.ok()?.ok()?.clone() {
            Lookup::Known(name) => Some(name),
            Lookup::Pending | Lookup::Unknown => None,
        }
    }

    /// Follows the identity's thing name, and stores it for the next start.
    pub async fn follow(self, mut identity: watch::Receiver<IdentityPart>, inbox: Rc<Inbox>, outbox: Outbox) {
        loop {
            let name = identity.borrow_and_update().details.thing_name.clone();
            match name {
                Some(name) => {
                    let previous = self.0.send_replace(Lookup::Known(name.clone()));
                    if previous != Lookup::Known(name.clone()) {
                        // The rules may give another set of topics now.
                        inbox.recheck_permissions();
                        outbox.store_thing(name).await;
                    }
                }
                None => self.read_stored(identity.clone(), &inbox, &outbox).await,
            }
            if identity.changed().await.is_err() {
                return;
            }
        }
    }

    /// Reads the name that an earlier run has stored, unless the identity has one first.
    async fn read_stored(&self, mut identity: watch::Receiver<IdentityPart>, inbox: &Inbox, outbox: &Outbox) {
        let is_unknown = || !matches!(*self.0.borrow(), Lookup::Known(_));
        while is_unknown() && identity.borrow_and_update().details.thing_name.is_none() {
            let lookup = match outbox.thing().await {
                Ok(stored) => stored.map_or(Lookup::Unknown, Lookup::Known),
                Err(_) => {
                    self.0.send_replace(Lookup::Unknown);
                    // The identity may provide the name before the database can be read again.
                    match timeout(RETRY_INTERVAL, identity.changed()).await {
                        Ok(Err(_)) => return,
                        Ok(Ok(())) | Err(_) => continue,
                    }
                }
            };
            self.0.send_replace(lookup);
            inbox.recheck_permissions();
            return;
        }
    }
}
