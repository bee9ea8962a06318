//! Waits for new sets of credentials of any role alias.

use std::rc::Rc;

use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::alias::AliasReader;
use super::cache::CredentialCache;

/// Notifies of each new set of any role alias, and of role aliases that the configuration adds or removes.
#[derive(Debug)]
pub struct SetChanges {
    cache: CredentialCache,
    followed: Vec<AliasReader>,
    refreshed: Rc<Notify>,
}

impl SetChanges {
    /// Follows the role aliases in `cache`.
    pub fn new(cache: CredentialCache) -> Self {
        Self {
            cache,
            followed: Vec::new(),
            refreshed: Rc::new(Notify::new()),
        }
    }

    /// Waits for a new set, or for another configuration. Sets that are there from the start count as well. Cancel safe. Must be called
    /// within a `LocalSet`.
    pub async fn changed(&mut self) {
        let readers = self.cache.readers();
        for reader in &readers {
            if !self.followed.iter().any(|known| known.is_same(reader)) {
                spawn_local(notify_of_sets(reader.clone(), self.refreshed.clone()));
            }
        }
        self.followed = readers;
        tokio::select! {
            () = self.refreshed.notified() => {}
            () = self.cache.changed() => {}
        }
    }
}

async fn notify_of_sets(alias: AliasReader, refreshed: Rc<Notify>) {
    let mut sets = alias.watch_set();
    if sets.borrow_and_update().is_some() {
        refreshed.notify_one();
    }
    while sets.changed().await.is_ok() {
        refreshed.notify_one();
    }
}
