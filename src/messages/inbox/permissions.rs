//! Suspends durable subscriptions that no rule allows any more. Checked whenever the rules, or what they mean, have changed.
//!
//! For a suspended subscription no messages are stored, and its filter is not requested from AWS. Its stored messages are
//! neither delivered nor deleted, within its limits, so that nothing is lost if the rule returns.

use std::collections::BTreeSet;

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
    let has = |name: &str, filter: &str| {
        let mut durable = durable.iter().filter(|subscription| subscription.name == name);
        durable.any(|subscription| subscription.filters().any(|(other, _)| other == filter))
    };
    suspended.retain(|(name, filter)| has(name, filter));
    let filters = durable
        .iter()
        .flat_map(|subscription| subscription.filters().map(move |(filter, _)| (subscription, filter)));
    for (subscription, filter) in filters {
        let (name, owner) = (&subscription.name, &subscription.owner);
        let key = (name.clone(), filter.to_owned());
        match (is_allowed(owner, filter), suspended.contains(&key)) {
            (true, true) => {
                suspended.remove(&key);
                journal!(
                    Level::Info, Event::SubscriptionResumed, TOPIC = filter;
                    "inbox: the durable subscription {name} of {owner} to {filter} continues: a rule allows it again"
                );
            }
            (false, false) => {
                suspended.insert(key);
                journal!(
                    Level::Warn, Event::SubscriptionSuspended, TOPIC = filter;
                    "inbox: the durable subscription {name} of {owner} to {filter} is suspended, because no rule allows it any more; next: add a rule, or: gatepost subscriptions delete {name}"
                );
            }
            _ => {}
        }
    }
    if suspended.len() != before {
        let names: BTreeSet<&String> = suspended.iter().map(|(name, _)| name).collect();
        report_suspended(state, names.len());
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
