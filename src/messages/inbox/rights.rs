//! Whether durable subscriptions may still collect: the rules are asked again whenever they, or what they mean, have changed.
//!
//! A subscription that no rule gives its owner any more is suspended: nothing more is kept for it and AWS is not asked for its
//! filter. What it has already is neither given out nor deleted, within its bounds, so that a rule that comes back costs nothing.

use std::sync::Arc;

use log::Level;
use tokio::task::spawn_local;

use super::super::owner::Owner;
use super::super::store::Durability;
use super::Inbox;
use crate::event::{Event, journal};
use crate::user_accounts::UserAccounts;

/// Whether the rules of this moment give a filter to an owner.
pub(super) struct Rights(Box<Ask>);

type Ask = dyn Fn(&Owner, &str) -> bool;

impl std::fmt::Debug for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rights").finish_non_exhaustive()
    }
}

impl Inbox {
    /// Has `rights` asked from now on whether the rules give a durable subscription's filter to its owner.
    pub fn ask_rights_of(&self, rights: impl Fn(&Owner, &str) -> bool + 'static) {
        self.rights.replace(Some(Rights(Box::new(rights))));
    }

    /// Shares the disk out by these accounts from now on.
    pub async fn count_by(&self, accounts: Arc<UserAccounts>) {
        // Where the database cannot be used, nothing is kept either; the next subscription brings them again.
        let counted = self.store.run(Durability::Reads, move |database| {
            database.context.user_accounts = accounts.as_ref().clone();
            Ok(())
        });
        let _ = counted.await;
    }

    /// Suspends the durable subscriptions that no rule gives, and goes on with those that a rule gives again.
    pub(super) fn judge_kept(&self) {
        let rights = self.rights.borrow();
        let Some(Rights(gives)) = rights.as_ref() else { return };
        let mut suspended = self.suspended.borrow_mut();
        let before = suspended.len();
        let kept = self.kept.borrow();
        suspended.retain(|name| kept.iter().any(|kept| kept.name == *name));
        for kept in kept.iter() {
            match (gives(&kept.owner, &kept.filter), suspended.contains(&kept.name)) {
                (true, true) => {
                    suspended.remove(&kept.name);
                    journal!(
                        Level::Info, Event::SubscriptionResumed, TOPIC = kept.filter.as_str();
                        "inbox: the durable subscription {} of {} to {} goes on: a rule gives it again",
                        kept.name, kept.owner, kept.filter
                    );
                }
                (false, false) => {
                    suspended.insert(kept.name.clone());
                    journal!(
                        Level::Warn, Event::SubscriptionSuspended, TOPIC = kept.filter.as_str();
                        "inbox: the durable subscription {} of {} to {} is suspended, because no rule gives it any more; next: give it a rule, or: gatepost subscriptions delete {}",
                        kept.name, kept.owner, kept.filter, kept.name
                    );
                }
                _ => {}
            }
        }
        if suspended.len() != before {
            self.show_suspended(suspended.len());
        }
    }

    /// Has the status show how many are suspended.
    fn show_suspended(&self, count: usize) {
        let (store, count) = (self.store.clone(), u64::try_from(count).unwrap_or(0));
        let show = async move {
            let noted = store.run(Durability::Reads, move |database| {
                database.context.suspended = count;
                Ok(())
            });
            let _ = noted.await;
        };
        spawn_local(show);
    }

    /// Whether the durable subscription is suspended.
    pub(super) fn is_suspended(&self, name: &str) -> bool {
        self.suspended.borrow().contains(name)
    }
}
