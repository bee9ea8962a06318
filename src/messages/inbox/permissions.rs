//! Suspends durable subscriptions that no rule allows any more. Checked whenever the rules, or what they mean, have changed.
//!
//! For a suspended subscription no messages are stored, and its filter is not requested from AWS. Its stored messages are
//! neither delivered nor deleted, within its limits, so that nothing is lost if the rule returns.

use log::Level;
use tokio::task::spawn_local;

use super::state::InboxState;
use crate::event::{Event, journal};
use crate::messages::thread::job::Durability;

/// Suspends the durable subscriptions that no rule allows, and resumes those that a rule allows again.
pub(super) fn update_suspended(state: &InboxState) {
    let check = state.permission_check.borrow();
    let Some(is_allowed) = check.as_ref() else { return };
    let mut suspended = state.suspended.borrow_mut();
    let before = suspended.len();
    let durable = state.durable.borrow();
    suspended.retain(|name| durable.iter().any(|subscription| subscription.name == *name));
    for subscription in durable.iter() {
        let (name, owner, filter) = (&subscription.name, &subscription.owner, &subscription.filter);
        match (is_allowed(owner, filter), suspended.contains(name)) {
            (true, true) => {
                suspended.remove(name);
                journal!(
                    Level::Info, Event::SubscriptionResumed, TOPIC = filter.as_str();
                    "inbox: the durable subscription {name} of {owner} to {filter} goes on: a rule gives it again"
                );
            }
            (false, false) => {
                suspended.insert(name.clone());
                journal!(
                    Level::Warn, Event::SubscriptionSuspended, TOPIC = filter.as_str();
                    "inbox: the durable subscription {name} of {owner} to {filter} is suspended, because no rule gives it any more; next: give it a rule, or: gatepost subscriptions delete {name}"
                );
            }
            _ => {}
        }
    }
    if suspended.len() != before {
        report_suspended(state, suspended.len());
    }
}

/// Reports the number of suspended subscriptions to the status.
fn report_suspended(state: &InboxState, count: usize) {
    let (store, count) = (state.store.clone(), u64::try_from(count).unwrap_or(0));
    spawn_local(async move {
        let report = store.run(Durability::ReadOnly, move |database| {
            database.context.suspended = count;
            Ok(())
        });
        let _ = report.await;
    });
}
