//! What `{thing}` stands for: the thing name, which is known again before the token has shown its key.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::view::ApiContext;

/// Between two tries to look the name up.
const RETRY: Duration = Duration::from_secs(5);
/// At a start a caller waits so long for the name to be looked up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// It is being looked up.
    NotYet,
    /// This gateway never had a certificate, or has forgotten it.
    Nothing,
    Name(String),
}

/// The thing name as last known.
#[derive(Debug)]
pub struct ThingName(watch::Sender<Known>);

impl Default for ThingName {
    fn default() -> Self {
        Self(watch::Sender::new(Known::NotYet))
    }
}

impl ThingName {
    /// The name, where it is known already.
    pub fn known(&self) -> Option<String> {
        match &*self.0.borrow() {
            Known::Name(name) => Some(name.clone()),
            Known::NotYet | Known::Nothing => None,
        }
    }

    /// The name; `None` on a gateway that never had a certificate.
    pub async fn get(&self) -> Option<String> {
        let mut known = self.0.subscribe();
        let looked_up = timeout(PATIENCE, known.wait_for(|known| *known != Known::NotYet)).await;
        match looked_up.ok()?.ok()?.clone() {
            Known::Name(name) => Some(name),
            Known::NotYet | Known::Nothing => None,
        }
    }
}

/// Follows the identity's name, and has it remembered for the next start.
pub async fn follow(shared: Rc<ApiContext>) {
    let mut identity = shared.board.identity.clone();
    loop {
        let name = identity.borrow_and_update().details.thing_name.clone();
        match name {
            Some(name) => {
                let before = shared.thing.0.send_replace(Known::Name(name.clone()));
                if before != Known::Name(name.clone()) {
                    // What the rules give depends on it.
                    shared.inbox.recheck_permissions();
                    shared.outbox.store_thing(name).await;
                }
            }
            None => remember(&shared).await,
        }
        if identity.changed().await.is_err() {
            return;
        }
    }
}

/// The name of earlier starts. A certificate with another one comes later, if at all.
async fn remember(shared: &ApiContext) {
    let mut identity = shared.board.identity.clone();
    let unknown = || !matches!(*shared.thing.0.borrow(), Known::Name(_));
    while unknown() && identity.borrow_and_update().details.thing_name.is_none() {
        let known = match shared.outbox.thing().await {
            Ok(known) => known.map_or(Known::Nothing, Known::Name),
            Err(_) => {
                shared.thing.0.send_replace(Known::Nothing);
                // The identity may say it sooner than a database that cannot be read.
                match timeout(RETRY, identity.changed()).await {
                    Ok(Err(_)) => return,
                    Ok(Ok(())) | Err(_) => continue,
                }
            }
        };
        shared.thing.0.send_replace(known);
        shared.inbox.recheck_permissions();
        return;
    }
}
